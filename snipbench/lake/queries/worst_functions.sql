-- Profiled functions that took the most time themselves, with their share of it
-- :n = 10
with within as (
    select task_id, parent_id, sum(execution_time) as seconds
    from function_calls where parent_id is not null group by task_id, parent_id
), costs as (
    -- what orders profiled, over all calls
    select class_name, function_name, source_code_md5_hash, calls, own_seconds, total_seconds, longest_seconds, exceptions
    from functions
    union all
    -- calls that no order asked for, each a row
    select c.class_name, c.function_name, c.source_code_md5_hash, 1,
           greatest(c.execution_time - coalesce(within.seconds, 0), 0), c.execution_time, c.execution_time,
           case when c.exception is null then 0 else 1 end
    from function_calls c
    left join within on within.task_id = c.task_id and within.parent_id = c.call_id
    where not exists (select 1 from functions f where f.task_id = c.task_id and f.slot_id = c.slot_id)
)
select class_name, function_name, source_code_md5_hash,
       cast(sum(calls) as bigint) as calls,
       sum(own_seconds) as own_seconds,
       sum(own_seconds) / nullif(sum(sum(own_seconds)) over (), 0) as share_of_time,
       sum(total_seconds) as total_seconds,
       max(longest_seconds) as longest_seconds,
       cast(sum(exceptions) as bigint) as exceptions
from costs
group by class_name, function_name, source_code_md5_hash
order by own_seconds desc, function_name
limit :n

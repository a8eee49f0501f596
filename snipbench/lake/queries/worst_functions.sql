-- Profiled functions that took the most time in all, with their share of it
-- :n = 10
select class_name, function_name, source_code_md5_hash,
       count(*) as calls,
       sum(execution_time) as total_seconds,
       median(execution_time) as median_seconds,
       max(execution_time) as longest_seconds,
       sum(execution_time) / sum(sum(execution_time)) over () as share_of_time,
       count(exception) as exceptions
from function_calls
group by class_name, function_name, source_code_md5_hash
order by total_seconds desc, function_name
limit :n

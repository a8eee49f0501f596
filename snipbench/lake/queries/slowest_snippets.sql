-- Snippets with the highest median wall time in the newest task
-- :n = 10
select experiment, snippet, parameters, kind, runs, failed,
       wall_seconds_median, wall_seconds_low, wall_seconds_high, cpu_seconds_executor_median, memory_peak_bytes_median
from summaries
where task_id = (select task_id from tasks order by requested_at desc limit 1)
order by wall_seconds_median desc nulls last, experiment, snippet, parameters
limit :n

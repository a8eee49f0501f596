-- Median wall time of each snippet over the tasks of one order, by its name
-- :order_name = "quickstart"
select t.requested_at, s.task_id, s.experiment, s.snippet, s.parameters,
       s.wall_seconds_median, s.wall_seconds_low, s.wall_seconds_high
from summaries s join tasks t on t.task_id = s.task_id
where t.order_name = :order_name
order by s.experiment, s.snippet, s.parameters, t.requested_at

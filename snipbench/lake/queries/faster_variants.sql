-- Variants shown to be faster than their baseline, greatest gain first
-- :n = 20
select task_id, experiment, snippet, baseline, parameters, ratio_median, ratio_low, ratio_high, pairs
from comparisons
where measure = 'wall_seconds' and verdict = 'faster'
order by ratio_median, task_id, experiment, snippet
limit :n

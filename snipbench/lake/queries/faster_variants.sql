-- Variants shown to be faster than their baseline and to compute the same, greatest gain first
-- :n = 20
select c.task_id, c.experiment, c.snippet, c.baseline, c.parameters, c.ratio_median, c.ratio_low, c.ratio_high, c.pairs
from comparisons c
join summaries s
  on s.task_id = c.task_id and s.experiment = c.experiment and s.snippet = c.snippet and s.parameters = c.parameters
where c.measure = 'wall_seconds' and c.verdict = 'faster' and s.equality in ('equal', 'equal_within_tolerance')
order by c.ratio_median, c.task_id, c.experiment, c.snippet
limit :n

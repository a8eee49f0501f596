-- Runs that did not end well, newest first
-- :n = 50
select task_id, experiment, snippet, parameters, phase, repetition, status, error_kind, error_message, started_at
from runs
where status <> 'ok'
order by started_at desc, slot_id
limit :n

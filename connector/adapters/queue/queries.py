"""What is asked of the engine's tables that the engine itself does not ask. Changes none of their rules."""

from __future__ import annotations

SESSIONS = "SELECT 1 AS is_there FROM pg_stat_activity WHERE application_name = %(name)s LIMIT 1"
REGISTERED = "SELECT 1 AS is_there FROM procrastinate_workers WHERE id = %(worker_id)s"
AWAITED = """
    SELECT 1 AS is_there FROM procrastinate_jobs AS job
    WHERE job.task_name = %(task)s AND job.status = 'todo' AND (job.lock = %(lock)s OR (
      NOT EXISTS (SELECT 1 FROM procrastinate_jobs AS other WHERE other.lock = job.lock AND other.status = 'doing')
      AND (SELECT max(event.at) FROM procrastinate_events AS event WHERE event.job_id = job.id)
        < now() - interval '1 second'))
    LIMIT 1
"""
UNSERVED = """
    DELETE FROM procrastinate_jobs AS job
    WHERE job.task_name = %(task)s AND job.status = 'todo' AND NOT job.queue_name = ANY(%(ours)s::varchar[])
      AND NOT EXISTS (
        SELECT 1 FROM procrastinate_jobs AS other WHERE other.lock = job.lock
        AND (other.status = 'doing' OR (other.status = 'todo' AND other.id < job.id)))
      AND (SELECT max(event.at) FROM procrastinate_events AS event WHERE event.job_id = job.id)
        < now() - make_interval(secs => %(seconds)s)
    RETURNING job.queueing_lock
"""
LEFT = """
    DELETE FROM procrastinate_jobs
    WHERE task_name = %(task)s AND status = 'todo' AND queue_name = ANY(%(left)s::varchar[])
"""

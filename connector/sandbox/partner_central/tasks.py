"""StartEngagementFromOpportunityTask, its list, and the bare SubmitOpportunity."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import timedelta

from connector.sandbox.partner_central.calls import Answer, Call
from connector.sandbox.partner_central.errors import Problem, conflict, refuse
from connector.sandbox.partner_central.invitations import invite_aws, make_engagement
from connector.sandbox.partner_central.pages import cut_page, with_token
from connector.sandbox.partner_central.paths import Json, find
from connector.sandbox.partner_central.records import Opportunity, Task, TaskScript, make_id
from connector.sandbox.partner_central.review import submit
from connector.sandbox.partner_central.submission import (
    Submission,
    check_submission,
    is_submittable,
    status_problem,
)
from connector.sandbox.partner_central.views import show_task

_DEFAULT_SORT = {"SortBy": "StartTime", "SortOrder": "DESCENDING"}


def start_engagement_from_opportunity_task(call: Call, body: Json) -> Answer:
    """Starts a task. HTTP 200 says nothing about success: a refused submission is a FAILED task."""
    record = call.opportunity(body["Identifier"])
    if record.id in call.records.busy:
        raise conflict(f"An engagement task of opportunity {record.id} is in progress")
    script = call.records.next_script(call.settings.task_seconds, call.settings.task_ids_null)
    delay = secrets.SystemRandom().uniform(*call.settings.start_latency)
    task = _make_task(call, record, body["AwsSubmission"], script, delay)
    call.records.tasks[task.id] = task
    call.records.busy.add(record.id)
    call.records.schedule(task.due, lambda now: finish_task(replace(call, now=now), task))
    if not script.after and not delay:
        call.records.settle(call.now)
    return Answer(lambda: show_task(task, call.settings), delay)


def list_engagement_from_opportunity_tasks(call: Call, body: Json) -> Json:
    """The caller's tasks that pass every filter."""
    own = (task for task in call.records.tasks.values() if (task.account, task.catalog) == (call.account, call.catalog))
    rows = [task for task in own if _is_wanted(task, body)]
    sort = body.get("Sort", _DEFAULT_SORT)
    rows.sort(key=lambda task: task.started, reverse=sort["SortOrder"] == "DESCENDING")
    page, token = cut_page(body, rows, token_on_last_page=call.settings.token_on_last_page)
    answer: Json = {"TaskSummaries": [show_task(task, call.settings) for task in page]}
    # This list says null at its end where the others leave the token out.
    return with_token({**answer, "NextToken": None}, token)


def submit_opportunity(call: Call, body: Json) -> Json:
    """Submits without an engagement, and refuses synchronously."""
    record = call.opportunity(body["Identifier"])
    wanted = Submission(body["InvolvementType"], body.get("Visibility", "Full"))
    if not is_submittable(record):
        refuse([status_problem()])
    refuse(_check(call, record, wanted))
    submit(call, record, wanted)
    return {}


def finish_task(call: Call, task: Task) -> None:
    """Ends a task as its script says, or as the record's state then demands."""
    record = call.records.opportunities[task.opportunity_id]
    call.records.busy.discard(record.id)
    wanted = Submission(task.involvement, task.visibility)
    if task.script.reason is not None:
        _fail(task, task.script.reason, task.script.message or f"{task.script.reason}: the step failed")
    elif not is_submittable(record):
        _fail(task, "OpportunitySubmissionFailed", status_problem().to_text())
    elif problems := _check(call, record, wanted):
        _fail(task, "OpportunityValidationFailed", ";".join(problem.to_text() for problem in problems))
    else:
        _complete(call, task, record, wanted)


def _make_task(call: Call, record: Opportunity, wanted: Json, script: TaskScript, delay: float) -> Task:
    return Task(
        id=make_id("task"),
        account=call.account,
        catalog=call.catalog,
        opportunity_id=record.id,
        involvement=wanted["InvolvementType"],
        visibility=wanted.get("Visibility", "Full"),
        started=call.now,
        due=call.now + timedelta(seconds=delay + script.after),
        script=script,
    )


def _check(call: Call, record: Opportunity, wanted: Submission) -> list[Problem]:
    problems = check_submission(record, wanted, call.today)
    if call.settings.duplicate_check and _is_duplicate(call, record):
        problems.append(Problem("customer.account.companyName", "DUPLICATE_KEY_VALUE", "Duplicate Record"))
    return problems


def _is_duplicate(call: Call, record: Opportunity) -> bool:
    name = find(record.body, "customer.account.companyName")
    return any(
        other is not record and other.involvement and find(other.body, "customer.account.companyName") == name
        for other in call.records.opportunities.values()
        if (other.account, other.catalog) == (record.account, record.catalog)
    )


def _fail(task: Task, reason: str, message: str) -> None:
    task.status, task.reason, task.message = "FAILED", reason, message


def _complete(call: Call, task: Task, record: Opportunity, wanted: Submission) -> None:
    if record.engagement_id is None:
        title = str(find(record.body, "project.title"))[:40]
        record.engagement_id = make_engagement(call, task.account, title, title, []).id
    engagement = call.records.engagements[record.engagement_id]
    if (record.id, task.account) not in engagement.opportunities:
        engagement.opportunities.append((record.id, task.account))
    task.status = "COMPLETE"
    task.engagement_id = engagement.id
    task.invitation_id = invite_aws(call, engagement, record).id
    task.job_id = make_id("job")
    submit(call, record, wanted)


def _is_wanted(task: Task, body: Json) -> bool:
    engagements = [reference.rsplit("/", 1)[-1] for reference in body.get("EngagementIdentifier", ())]
    tasks = [reference.rsplit("/", 1)[-1] for reference in body.get("TaskIdentifier", ())]
    return (
        (not tasks or task.id in tasks)
        and (not engagements or task.engagement_id in engagements)
        and (not body.get("OpportunityIdentifier") or task.opportunity_id in body["OpportunityIdentifier"])
        and (not body.get("TaskStatus") or task.status in body["TaskStatus"])
    )

"""Who calls and what they may: STS's GetCallerIdentity and IAM's SimulatePrincipalPolicy, over the Query protocol.

Only the caller's own policy exists here: it grants everything but `denied_operations`, for the catalogs there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import uuid4
from xml.sax.saxutils import escape

from connector.sandbox.partner_central.settings import Settings
from connector.sandbox.partner_central.tables import CATALOGS

_STS, _IAM = "https://sts.amazonaws.com/doc/2011-06-15/", "https://iam.amazonaws.com/doc/2010-05-08/"
_CATALOG_KEY = "partnercentral:Catalog"

Form = Mapping[str, str]


def words_of_denial(settings: Settings, account: str, operation: str, service: str = "partnercentral") -> str:
    """What AWS says when no policy grants an action."""
    action = f"{service}:{operation}"
    why = f"because no identity-based policy allows the {action} action"
    return f"User: {caller_arn(settings, account)} is not authorized to perform: {action} {why}"


def caller_arn(settings: Settings, account: str) -> str:
    """The ARN that STS tells of the caller."""
    service = "sts" if settings.caller.startswith(("assumed-role/", "federated-user/")) else "iam"
    return f"arn:aws:{service}::{account}:{settings.caller}"


def answer_form(settings: Settings, account: str, form: Form) -> tuple[int, str]:
    """The status and the XML of an answer."""
    action = form.get("Action", "")
    if action in settings.denied_operations:
        service = "sts" if action == "GetCallerIdentity" else "iam"
        return 403, to_xml_error("AccessDenied", words_of_denial(settings, account, action, service))
    if action == "GetCallerIdentity":
        arn = _tag("Arn", caller_arn(settings, account))
        return 200, _answer(action, _STS, arn + _tag("UserId", "AIDASANDBOX") + _tag("Account", account))
    if action == "SimulatePrincipalPolicy":
        return _simulate(settings, account, form)
    return 400, to_xml_error("InvalidAction", f"Could not find operation {action}")


def _simulate(settings: Settings, account: str, form: Form) -> tuple[int, str]:
    source = form.get("PolicySourceArn", "")
    if source != _principal_arn(settings, account):
        return 404, to_xml_error("NoSuchEntity", f"The entity {source} cannot be found.")
    catalog = _context_of(form).get(_CATALOG_KEY)
    judged = "".join(_judge(settings, name, catalog) for name in _members(form, "ActionNames"))
    body = f"<EvaluationResults>{judged}</EvaluationResults>" + _tag("IsTruncated", "false")
    return 200, _answer("SimulatePrincipalPolicy", _IAM, body)


def _principal_arn(settings: Settings, account: str) -> str:
    """The IAM user or role whose policies count; of a role's session that is the role."""
    if settings.caller.startswith("assumed-role/"):
        return f"arn:aws:iam::{account}:role/{settings.caller.split('/')[1]}"
    return caller_arn(settings, account)


def _judge(settings: Settings, action: str, catalog: str | None) -> str:
    """One EvaluationResult: the statements of Partner Central hang on the catalog, others on nothing."""
    service, _, operation = action.partition(":")
    is_scoped = service == "partnercentral"
    is_granted = operation not in settings.denied_operations and (not is_scoped or catalog in CATALOGS)
    missing = f"<member>{_CATALOG_KEY}</member>" if is_scoped and catalog is None else ""
    return (
        f"<member>{_tag('EvalActionName', action)}{_tag('EvalResourceName', '*')}"
        f"{_tag('EvalDecision', 'allowed' if is_granted else 'implicitDeny')}"
        f"<MissingContextValues>{missing}</MissingContextValues></member>"
    )


def _context_of(form: Form) -> dict[str, str]:
    """The first value of each context key."""
    prefix = "ContextEntries.member."
    numbers = {name.removeprefix(prefix).partition(".")[0] for name in form if name.startswith(prefix)}
    entries = (f"{prefix}{number}" for number in numbers)
    return {
        form[f"{entry}.ContextKeyName"]: form.get(f"{entry}.ContextKeyValues.member.1", "")
        for entry in entries
        if f"{entry}.ContextKeyName" in form
    }


def _members(form: Form, name: str) -> list[str]:
    return [value for key, value in form.items() if key.startswith(f"{name}.member.")]


def _tag(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>"


def _answer(action: str, namespace: str, result: str) -> str:
    told = f"<{action}Result>{result}</{action}Result><ResponseMetadata>{_request_id()}</ResponseMetadata>"
    return f'<{action}Response xmlns="{namespace}">{told}</{action}Response>'


def to_xml_error(code: str, message: str) -> str:
    """A refusal as both services word it."""
    error = f"<Type>Sender</Type>{_tag('Code', code)}{_tag('Message', message)}"
    return f'<ErrorResponse xmlns="{_IAM}"><Error>{error}</Error>{_request_id()}</ErrorResponse>'


def _request_id() -> str:
    return _tag("RequestId", str(uuid4()))

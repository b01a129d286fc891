"""The demo tells a deal's whole life, and what it ends with comes from Salesforce itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_demo_tells_a_deal_s_whole_life(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "connector", "demo", "--json", "--keep", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1, done.stderr  # some of the sample records are meant to be held
    told = json.loads(done.stdout)
    reviews = [act["shows"]["AWS_Review_Status__c"] for act in told["deal"]]
    assert reviews == ["Submitted", "Action Required", "Submitted", "Approved", "Approved"]
    syncs = [act["shows"]["AWS_Sync_Status__c"] for act in told["deal"]]
    assert syncs == ["Synced", "Held", "Pending", "Synced", "Synced"]
    _, asked, fixed, approved, launched = (act["shows"] for act in told["deal"])
    assert asked["AWS_Review_Comments__c"] in asked["AWS_Sync_Message__c"]
    assert "NextStep" in fixed["AWS_Sync_Message__c"]
    assert (approved["AWS_Sales_Rep_Name__c"], approved["AWS_Engagement_Score__c"]) == ("Robin Rep", "High")
    assert (launched["StageName"], launched["AWS_Sync_Message__c"]) == ("Closed Won", "AWS has it as launched.")
    statuses = {row["Partner_Name__c"]: row["Invitation_Status__c"] for row in told["invitations"]}
    assert sorted(map(str, statuses.values())) == ["ACCEPTED", "None", "PENDING", "REJECTED"]
    assert sum(bool(row["AWS_Opportunity_Id__c"]) for row in told["records"]) == 14
    held = [row for row in told["records"] if not row["AWS_Opportunity_Id__c"]]
    assert [row["AWS_Sync_Status__c"] for row in held] == ["Held"] * 8
    assert all(row["AWS_Sync_Message__c"] for row in held)
    lost = next(row for row in told["records"] if row["Name"] == "United Oil SLA")
    assert (lost["StageName"], lost["AWS_Sync_Status__c"]) == ("Closed Lost", "Synced")

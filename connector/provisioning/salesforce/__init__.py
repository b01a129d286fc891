"""What a Salesforce org needs for one or more mappings, as an SFDX project: derived, never listed by hand."""

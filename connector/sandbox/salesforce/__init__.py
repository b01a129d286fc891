"""An embedded Salesforce org: its state (`org.Org`), its REST API (`api.create_app`) and a sample (`seed`).

Faithful where a client can tell: wire shapes, error words, limits, permissions, partial failure.
"""

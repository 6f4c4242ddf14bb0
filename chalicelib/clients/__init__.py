"""Clients of other AWS services and of webhook endpoints: one module each. `service/ports.py` has their interfaces."""

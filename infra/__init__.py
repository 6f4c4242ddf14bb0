"""Package, deploy, operate and run Admit One; nothing here is in the deployed zip."""

"""Admit One: single-use private booking links on a team's own AWS account."""

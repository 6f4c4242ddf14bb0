"""The invitee's pages."""

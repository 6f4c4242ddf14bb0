"""Tests of the console and the invitee's pages in a real browser."""

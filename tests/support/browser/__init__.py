"""A browser, and the console and the invitee's pages in it."""

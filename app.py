"""The Chalice app: blueprints are registered here, nothing else."""

from chalice.app import Chalice

from chalicelib.api.assets import assets
from chalicelib.api.auth import auth
from chalicelib.api.bookings import bookings
from chalicelib.api.cal_com import cal_com
from chalicelib.api.csv_links import csv_links
from chalicelib.api.event_types import event_types
from chalicelib.api.history import history
from chalicelib.api.hosts import hosts
from chalicelib.api.invitee import invitee
from chalicelib.api.link_request import link_request
from chalicelib.api.links import links
from chalicelib.api.own_booking import own_booking
from chalicelib.api.share import share
from chalicelib.consumers.outbox import outbox

app = Chalice(app_name="admit-one")

app.register_blueprint(auth)
app.register_blueprint(hosts)
app.register_blueprint(event_types)
app.register_blueprint(links)
app.register_blueprint(csv_links)
app.register_blueprint(share)
app.register_blueprint(cal_com)
app.register_blueprint(history)
app.register_blueprint(bookings)
app.register_blueprint(invitee)
app.register_blueprint(link_request)
app.register_blueprint(own_booking)
app.register_blueprint(assets)
app.register_blueprint(outbox)

"""The Chalice app: blueprints are registered here, nothing else."""

import gc

gc.disable()  # imports create no garbage, and collecting would take a tenth of a cold start

from chalice.app import Chalice

from chalicelib import bootstrap
from chalicelib.api.http.authorizer import auth
from chalicelib.api.routes import PREFLIGHT, ROUTERS

# Chalice would add a handler that writes plain text. Lambda's own handler writes JSON (chalicelib/logs.py).
app = Chalice(app_name="admit-one", configure_logs=False)

for blueprint in (auth, *ROUTERS, PREFLIGHT):
    app.register_blueprint(blueprint)

if bootstrap.on_lambda():
    # On Lambda, only the HTTP function loads this module. The other functions' handlers are in their own modules.
    bootstrap.warm_up()
    gc.freeze()
else:
    from chalicelib.consumers.functions import FUNCTIONS

    for blueprint in FUNCTIONS:
        app.register_blueprint(blueprint)

gc.enable()

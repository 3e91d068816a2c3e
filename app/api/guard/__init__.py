"""What stands between a connection and the routes.

Each part is plain ASGI; from the outermost to the innermost:

envelope    request id, headers of every answer, counts and times, faults
origins     who may talk to us from a browser: Host, Origin, CORS
entry       which routes there are, and what key each needs
body        how large a body may be, and how long it may take
"""

"""The command that serves the site."""

from typing import Annotated

from typer import Argument, Option

from mbprof.cli.options import command, complain


@command(epilog="Example: mbprof serve --port 8042")
def serve(
    folder: Annotated[
        str | None, Argument(metavar="[FOLDER]", help="a built site; else the one that is here")
    ] = None,
    port: Annotated[int, Option("--port", metavar="N", help="0 for one that is free")] = 8042,
    browser: Annotated[
        bool, Option("--browser/--no-browser", help="open the page, or only say where it is")
    ] = True,
) -> None:
    """Serve the documentation and the playground to this machine, until interrupted."""
    import webbrowser

    from mbprof.cli.serve import server, site

    running, address = server(site(folder), port)
    with running:
        complain(f"serving {address} until interrupted")
        if browser:
            webbrowser.open(address)
        running.serve_forever()

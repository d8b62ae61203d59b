"""`pacs conformance`: what this archive conforms to."""

import typer

from pacs.cli.common import ConfigOption, DataOption, effective


def conformance(config: ConfigOption = None, data: DataOption = None) -> None:
    """The DICOM conformance statement of an archive with these settings, as Markdown."""
    from dimse import statement

    typer.echo(statement.write(effective(config, data)), nl=False)

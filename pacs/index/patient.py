"""Whose study it is."""

import sqlalchemy as sa

from pacs.db import schema

_PATIENT_ID = (
    sa.select(schema.patients.c.patient_id)
    .join(schema.studies, schema.studies.c.patient_id_fk == schema.patients.c.id)
    .where(schema.studies.c.study_instance_uid == sa.bindparam("uid"))
)
_IDENTITY = (
    sa.select(schema.patients.c.patient_id, schema.patients.c.issuer_of_patient_id)
    .join(schema.studies, schema.studies.c.patient_id_fk == schema.patients.c.id)
    .where(schema.studies.c.study_instance_uid == sa.bindparam("uid"))
)


def identity_of(tx: sa.Connection, study_uid: str) -> tuple[str, str] | None:
    """Patient ID and its issuer, each of which may be empty; None when there is no such study."""
    row = tx.execute(_IDENTITY, {"uid": study_uid}).first()
    return None if row is None else (row[0], row[1])


def patient_id_of(tx: sa.Connection, study_uid: str) -> str | None:
    """The Patient ID, which may be empty; None when the archive has no such study."""
    return tx.execute(_PATIENT_ID, {"uid": study_uid}).scalar_one_or_none()

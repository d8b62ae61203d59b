"""The four tables as one tree, and what the index keeps in them by itself."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, FromClause

from pacs.db import schema
from pacs.dicom.level import Level

_P, _S, _E, _I = schema.patients.c, schema.studies.c, schema.series.c, schema.instances.c

_JOIN = {
    Level.STUDY: _S.patient_id_fk == _P.id,
    Level.SERIES: _E.study_fk == _S.id,
    Level.IMAGE: _I.series_fk == _E.id,
}
PARENT = {Level.STUDY: _S.patient_id_fk, Level.SERIES: _E.study_fk, Level.IMAGE: _I.series_fk}
DEFINER: dict[Level, ColumnElement[int]] = {
    Level.PATIENT: sa.literal(0),
    Level.STUDY: _S.definer_fk,
    Level.SERIES: _E.definer_fk,
    Level.IMAGE: _I.id,
}
# What the index keeps by itself; the sets are `\A\B\`.
COMPUTED: dict[str, ColumnElement[Any]] = {
    "NumberOfPatientRelatedStudies": _P.n_studies,
    "NumberOfPatientRelatedSeries": _P.n_series,
    "NumberOfPatientRelatedInstances": _P.n_instances,
    "ModalitiesInStudy": _S.modalities,
    "SOPClassesInStudy": _S.sop_classes,
    "NumberOfStudyRelatedSeries": _S.n_series,
    "NumberOfStudyRelatedInstances": _S.n_instances,
    "NumberOfSeriesRelatedInstances": _E.n_instances,
    "AvailableTransferSyntaxUID": _I.transfer_syntax,
}
UIDS = {
    Level.STUDY: _S.study_instance_uid,
    Level.SERIES: _E.series_instance_uid,
    Level.IMAGE: _I.sop_instance_uid,
}


def joined(top: Level, bottom: Level) -> FromClause:
    source: FromClause = schema.LEVELS[top]
    for level in Level:
        if top < level <= bottom:
            source = source.join(schema.LEVELS[level], _JOIN[level])
    return source

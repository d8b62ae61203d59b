"""First schema."""

import sqlalchemy as sa
from alembic import op

from pacs.db.types import Identity, Text

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", Identity, autoincrement=True, nullable=False),
        sa.Column("at_ns", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("actor", Text, server_default="", nullable=False),
        sa.Column("roles", Text, server_default="", nullable=False),
        sa.Column("origin", Text, server_default="", nullable=False),
        sa.Column("channel", Text, server_default="", nullable=False),
        sa.Column("action", Text, server_default="", nullable=False),
        sa.Column("outcome", Text, server_default="", nullable=False),
        sa.Column("patient_id", Text, server_default="", nullable=False),
        sa.Column("study_uid", Text, server_default="", nullable=False),
        sa.Column("detail", Text, server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_at_ns"), "audit", ["at_ns"], unique=False)
    op.create_index(op.f("ix_audit_patient_id"), "audit", ["patient_id"], unique=False)
    op.create_index(op.f("ix_audit_study_uid"), "audit", ["study_uid"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("seq", Identity, autoincrement=True, nullable=False),
        sa.Column("tx", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("at_ns", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("kind", Text, server_default="", nullable=False),
        sa.Column("study_uid", Text, server_default="", nullable=False),
        sa.Column("series_uid", Text, server_default="", nullable=False),
        sa.Column("sop_instance_uid", Text, server_default="", nullable=False),
        sa.Column("payload", Text, server_default="", nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_outbox")),
    )
    op.create_index(op.f("ix_outbox_tx_seq"), "outbox", ["tx", "seq"], unique=False)
    op.create_table(
        "patients",
        sa.Column("id", Identity, autoincrement=True, nullable=False),
        sa.Column("patient_key", Text, nullable=False),
        sa.Column("patient_name_a", Text, server_default="", nullable=False),
        sa.Column("patient_name_i", Text, server_default="", nullable=False),
        sa.Column("patient_name_p", Text, server_default="", nullable=False),
        sa.Column("patient_id", Text, server_default="", nullable=False),
        sa.Column("issuer_of_patient_id", Text, server_default="", nullable=False),
        sa.Column("patient_birth_date", Text, server_default="", nullable=False),
        sa.Column("patient_sex", Text, server_default="", nullable=False),
        sa.Column("attrs", Text, server_default="", nullable=False),
        sa.Column("definer_ns", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("definer_uid", Text, server_default="", nullable=False),
        sa.Column("n_studies", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("n_series", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("n_instances", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patients")),
        sa.UniqueConstraint("patient_key", name=op.f("uq_patients_patient_key")),
    )
    op.create_index(op.f("ix_patients_patient_birth_date"), "patients", ["patient_birth_date"], unique=False)
    op.create_index(op.f("ix_patients_patient_id"), "patients", ["patient_id"], unique=False)
    op.create_index(op.f("ix_patients_patient_name_a"), "patients", ["patient_name_a"], unique=False)
    op.create_index(op.f("ix_patients_patient_name_i"), "patients", ["patient_name_i"], unique=False)
    op.create_index(op.f("ix_patients_patient_name_p"), "patients", ["patient_name_p"], unique=False)
    op.create_table(
        "quarantine",
        sa.Column("id", Identity, autoincrement=True, nullable=False),
        sa.Column("at_ns", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("rule", Text, server_default="", nullable=False),
        sa.Column("reason", Text, server_default="", nullable=False),
        sa.Column("key", Text, nullable=False),
        sa.Column("digest", Text, server_default="", nullable=False),
        sa.Column("size", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("actor", Text, server_default="", nullable=False),
        sa.Column("origin", Text, server_default="", nullable=False),
        sa.Column("sop_instance_uid", Text, server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine")),
        sa.UniqueConstraint("key", name=op.f("uq_quarantine_key")),
    )
    op.create_table(
        "versions",
        sa.Column("id", Identity, autoincrement=True, nullable=False),
        sa.Column("sop_instance_uid", Text, server_default="", nullable=False),
        sa.Column("digest", Text, server_default="", nullable=False),
        sa.Column("prefix_digest", Text, server_default="", nullable=False),
        sa.Column("transfer_syntax", Text, server_default="", nullable=False),
        sa.Column("size", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("dataset_offset", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("received_ns", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("key", Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_versions")),
        sa.UniqueConstraint("key", name=op.f("uq_versions_key")),
        sa.UniqueConstraint("sop_instance_uid", "digest", name=op.f("uq_versions_sop_instance_uid_digest")),
    )
    op.create_table(
        "studies",
        sa.Column("id", Identity, autoincrement=True, nullable=False),
        sa.Column("patient_id_fk", Identity, nullable=False),
        sa.Column("study_instance_uid", Text, server_default="", nullable=False),
        sa.Column("study_date", Text, server_default="", nullable=False),
        sa.Column("study_time", Text, server_default="", nullable=False),
        sa.Column("accession_number", Text, server_default="", nullable=False),
        sa.Column("study_id", Text, server_default="", nullable=False),
        sa.Column("study_description", Text, server_default="", nullable=False),
        sa.Column("referring_physician_name_a", Text, server_default="", nullable=False),
        sa.Column("referring_physician_name_i", Text, server_default="", nullable=False),
        sa.Column("referring_physician_name_p", Text, server_default="", nullable=False),
        sa.Column("attrs", Text, server_default="", nullable=False),
        sa.Column("definer_fk", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("definer_ns", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("definer_uid", Text, server_default="", nullable=False),
        sa.Column("modalities", Text, server_default="", nullable=False),
        sa.Column("sop_classes", Text, server_default="", nullable=False),
        sa.Column("n_series", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("n_instances", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("updated_ns", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["patient_id_fk"], ["patients.id"], name=op.f("fk_studies_patient_id_fk")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_studies")),
    )
    op.create_index(op.f("ix_studies_accession_number"), "studies", ["accession_number"], unique=False)
    op.create_index("ix_studies_newest", "studies", ["study_date", "study_time", "study_instance_uid"])
    op.create_index(op.f("ix_studies_patient_id_fk"), "studies", ["patient_id_fk"], unique=False)
    op.create_index(
        op.f("ix_studies_referring_physician_name_a"), "studies", ["referring_physician_name_a"], unique=False
    )
    op.create_index(
        op.f("ix_studies_referring_physician_name_i"), "studies", ["referring_physician_name_i"], unique=False
    )
    op.create_index(
        op.f("ix_studies_referring_physician_name_p"), "studies", ["referring_physician_name_p"], unique=False
    )
    op.create_index(op.f("ix_studies_study_date"), "studies", ["study_date"], unique=False)
    op.create_index(op.f("ix_studies_study_description"), "studies", ["study_description"], unique=False)
    op.create_index(op.f("ix_studies_study_instance_uid"), "studies", ["study_instance_uid"], unique=True)
    op.create_table(
        "series",
        sa.Column("id", Identity, autoincrement=True, nullable=False),
        sa.Column("study_fk", Identity, nullable=False),
        sa.Column("series_instance_uid", Text, server_default="", nullable=False),
        sa.Column("modality", Text, server_default="", nullable=False),
        sa.Column("series_number", sa.BigInteger(), nullable=True),
        sa.Column("series_description", Text, server_default="", nullable=False),
        sa.Column("series_date", Text, server_default="", nullable=False),
        sa.Column("series_time", Text, server_default="", nullable=False),
        sa.Column("body_part_examined", Text, server_default="", nullable=False),
        sa.Column("laterality", Text, server_default="", nullable=False),
        sa.Column("protocol_name", Text, server_default="", nullable=False),
        sa.Column("station_name", Text, server_default="", nullable=False),
        sa.Column("institution_name", Text, server_default="", nullable=False),
        sa.Column("performing_physician_name_a", Text, server_default="", nullable=False),
        sa.Column("performing_physician_name_i", Text, server_default="", nullable=False),
        sa.Column("performing_physician_name_p", Text, server_default="", nullable=False),
        sa.Column("frame_of_reference_uid", Text, server_default="", nullable=False),
        sa.Column("performed_procedure_step_start_date", Text, server_default="", nullable=False),
        sa.Column("performed_procedure_step_start_time", Text, server_default="", nullable=False),
        sa.Column("attrs", Text, server_default="", nullable=False),
        sa.Column("definer_fk", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("definer_ns", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("definer_uid", Text, server_default="", nullable=False),
        sa.Column("n_instances", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("updated_ns", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["study_fk"], ["studies.id"], name=op.f("fk_series_study_fk")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series")),
    )
    op.create_index(op.f("ix_series_modality"), "series", ["modality"], unique=False)
    op.create_index(op.f("ix_series_series_instance_uid"), "series", ["series_instance_uid"], unique=True)
    op.create_index(op.f("ix_series_study_fk"), "series", ["study_fk"], unique=False)
    op.create_table(
        "instances",
        sa.Column("id", Identity, autoincrement=True, nullable=False),
        sa.Column("series_fk", Identity, nullable=False),
        sa.Column("study_fk", Identity, nullable=False),
        sa.Column("sop_instance_uid", Text, server_default="", nullable=False),
        sa.Column("sop_class_uid", Text, server_default="", nullable=False),
        sa.Column("instance_number", sa.BigInteger(), nullable=True),
        sa.Column("content_date", Text, server_default="", nullable=False),
        sa.Column("content_time", Text, server_default="", nullable=False),
        sa.Column("attrs", Text, server_default="", nullable=False),
        sa.Column("transfer_syntax", Text, server_default="", nullable=False),
        sa.Column("size", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("dataset_offset", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("digest", Text, server_default="", nullable=False),
        sa.Column("prefix_digest", Text, server_default="", nullable=False),
        sa.Column("n_frames", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("frames", sa.LargeBinary(), nullable=True),
        sa.Column("json", sa.LargeBinary(), nullable=False),
        sa.Column("first_received_ns", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("received_ns", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["series_fk"], ["series.id"], name=op.f("fk_instances_series_fk")),
        sa.ForeignKeyConstraint(["study_fk"], ["studies.id"], name=op.f("fk_instances_study_fk")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instances")),
    )
    op.create_index(op.f("ix_instances_series_fk"), "instances", ["series_fk"], unique=False)
    op.create_index(op.f("ix_instances_sop_instance_uid"), "instances", ["sop_instance_uid"], unique=True)
    op.create_index(op.f("ix_instances_study_fk"), "instances", ["study_fk"], unique=False)
    op.create_table(
        "locations",
        sa.Column("id", Identity, autoincrement=True, nullable=False),
        sa.Column("instance_fk", Identity, nullable=False),
        sa.Column("tier", Text, nullable=False),
        sa.Column("key", Text, nullable=False),
        sa.Column("offset", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("length", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["instance_fk"], ["instances.id"], name=op.f("fk_locations_instance_fk")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_locations")),
        sa.UniqueConstraint("tier", "key", "offset", name=op.f("uq_locations_tier_key_offset")),
    )
    op.create_index(op.f("ix_locations_instance_fk"), "locations", ["instance_fk"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_locations_instance_fk"), table_name="locations")
    op.drop_table("locations")
    op.drop_index(op.f("ix_instances_study_fk"), table_name="instances")
    op.drop_index(op.f("ix_instances_sop_instance_uid"), table_name="instances")
    op.drop_index(op.f("ix_instances_series_fk"), table_name="instances")
    op.drop_table("instances")
    op.drop_index(op.f("ix_series_study_fk"), table_name="series")
    op.drop_index(op.f("ix_series_series_instance_uid"), table_name="series")
    op.drop_index(op.f("ix_series_modality"), table_name="series")
    op.drop_table("series")
    op.drop_index(op.f("ix_studies_study_instance_uid"), table_name="studies")
    op.drop_index(op.f("ix_studies_study_description"), table_name="studies")
    op.drop_index(op.f("ix_studies_study_date"), table_name="studies")
    op.drop_index(op.f("ix_studies_referring_physician_name_p"), table_name="studies")
    op.drop_index(op.f("ix_studies_referring_physician_name_i"), table_name="studies")
    op.drop_index(op.f("ix_studies_referring_physician_name_a"), table_name="studies")
    op.drop_index(op.f("ix_studies_patient_id_fk"), table_name="studies")
    op.drop_index("ix_studies_newest", table_name="studies")
    op.drop_index(op.f("ix_studies_accession_number"), table_name="studies")
    op.drop_table("studies")
    op.drop_table("versions")
    op.drop_table("quarantine")
    op.drop_index(op.f("ix_patients_patient_name_p"), table_name="patients")
    op.drop_index(op.f("ix_patients_patient_name_i"), table_name="patients")
    op.drop_index(op.f("ix_patients_patient_name_a"), table_name="patients")
    op.drop_index(op.f("ix_patients_patient_id"), table_name="patients")
    op.drop_index(op.f("ix_patients_patient_birth_date"), table_name="patients")
    op.drop_table("patients")
    op.drop_index(op.f("ix_outbox_tx_seq"), table_name="outbox")
    op.drop_table("outbox")
    op.drop_index(op.f("ix_audit_study_uid"), table_name="audit")
    op.drop_index(op.f("ix_audit_patient_id"), table_name="audit")
    op.drop_index(op.f("ix_audit_at_ns"), table_name="audit")
    op.drop_table("audit")

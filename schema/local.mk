# SPDX-License-Identifier: Apache-2.0
nobase_dist_pkgdata_DATA += \
  schema/order \
  schema/00_common.sql \
  schema/vocabularies.sql \
  schema/models.sql \
  schema/identity.sql \
  schema/account.sql \
  schema/keys.sql \
  schema/batch.sql \
  schema/log.sql \
  schema/log_read.sql \
  schema/log_view.sql \
  schema/code_blocks.sql \
  schema/firearms.sql \
  schema/custody.sql \
  schema/custody_record.sql \
  schema/sales.sql \
  schema/registration.sql \
  schema/traces.sql \
  schema/lookups.sql \
  schema/similar.sql \
  schema/confusion.sql \
  schema/comparisons.sql \
  schema/counts.sql \
  schema/disclosures.sql \
  schema/oversight.sql \
  schema/background.sql \
  schema/init.sql \
  schema/grants.sql

# SPDX-License-Identifier: Apache-2.0
# Documents, and those of folders whose own part does not list theirs.
EXTRA_DIST += README.md CONTRIBUTING.md LICENSE \
  %D%/manual.md %D%/api.md %D%/traces.md %D%/reading-marks.md %D%/solve-rate.md %D%/access-log.md \
  %D%/confusion-sample.json \
  api/README.md keeper/README.md server/README.md store/README.md schema/README.md migrations/README.md

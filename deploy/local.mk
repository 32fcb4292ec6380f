# SPDX-License-Identifier: Apache-2.0
EXTRA_DIST += %D%/quickstart %D%/install-packages %D%/build %D%/instance %D%/demonstration

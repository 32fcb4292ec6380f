# SPDX-License-Identifier: Apache-2.0
# What api/generate makes. It is not distributed: a tarball's build makes it again, with
# python3-yaml, from the files that it is distributed with.
api_generator = %D%/generate %D%/checks.py %D%/pattern.py %D%/schemas.py \
  %D%/openapi.yaml %D%/permissions.yaml %D%/errors.yaml
api_generated_c = %D%/generated.c %D%/generated_schemas.c %D%/generated_openapi.c

BUILT_SOURCES += %D%/generated.h
CLEANFILES += %D%/generated.h $(api_generated_c)
EXTRA_DIST += $(api_generator)

# One run writes all files, the header last, so that a parallel make starts it once; the recipe of
# the others is for the case that somebody has removed one of them.
%D%/generated.h: $(api_generator)
	$(AM_V_GEN)$(MKDIR_P) %D% && $(PYTHON3) $(srcdir)/%D%/generate $(srcdir)/%D% %D%
$(api_generated_c): %D%/generated.h
	@test -f $@ || { rm -f %D%/generated.h; $(MAKE) $(AM_MAKEFLAGS) %D%/generated.h; }
	@touch $@

dist_api_libapi_a_SOURCES = %D%/table.h %D%/table.c %D%/validate.h %D%/validate.c \
  %D%/validate_text.h %D%/validate_text.c
nodist_api_libapi_a_SOURCES = %D%/generated.h $(api_generated_c)

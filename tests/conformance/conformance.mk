# SPDX-License-Identifier: Apache-2.0
#
# `conformance`: one line per clause of tests/conformance/clauses.toml, from what the other tests of the run reported; runs alone and
# last, and runs itself the tests that have not run since their programs were built.

empty :=
space := $(empty) $(empty)

TESTS += conformance
TEST_CMD_conformance = tests/conformance/check.py run $(B) $(foreach t,$(filter-out conformance,$(TESTS)),$t=$(subst $(space),:,$(strip $(TEST_DEPS_$t))))
TEST_WEIGHT_conformance  := last
TEST_TIMEOUT_conformance := 3600

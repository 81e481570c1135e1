# SPDX-License-Identifier: Apache-2.0
#
# `conformance`: one line per clause of tests/conformance/clauses.toml, from what the other tests of the run reported; runs alone and
# last, and runs itself the tests that have not run since their programs were built. TEST_SRCS_<name>: where the procedures of a
# test stand that clauses name as test#procedure.

empty :=
space := $(empty) $(empty)

TESTS += conformance conformance-rules
TEST_CMD_conformance = tests/conformance/check.py run $(B) $(foreach t,$(filter-out conformance,$(TESTS)),$t=$(subst $(space),:,$(strip $(TEST_DEPS_$t)))=$(subst $(space),:,$(strip $(TEST_SRCS_$t))))
TEST_WEIGHT_conformance  := last
TEST_TIMEOUT_conformance := 3600

TEST_CMD_conformance-rules = tests/conformance/test_check.py

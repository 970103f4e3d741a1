# hellod's Makefile. Nothing is looked for, compiled or asked of pkg-config before a recipe needs it, so that the targets
# that install what they need work on a bare system.

VERSION := 0.1.0

PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
BUILD      ?= build
PKG_CONFIG ?= pkg-config
INSTALL    ?= install
export PYTHON ?= /usr/bin/python3
export FUZZ_SECONDS ?= 60
export FUZZ_CONVERSATIONS ?= 100000
SOAK_SECONDS ?= 1800

.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: all programs library everything run check unit suite check-system check-metrics lint format sanitize fuzz fuzz-server bench bench-peers bench-scale bench-overload performance bench-balance bench-tail figures loss soak install uninstall image dist deb rpm check-packages clean help FORCE

all: programs

# ---- What there is -------------------------------------------------------------------------------------------------

SOURCES := $(wildcard src/base/*.c src/protocol/*.c src/worker/*.c src/master/*.c)
OBJECTS := $(SOURCES:src/%.c=$(BUILD)/obj/%.o)
LIBRARY := $(BUILD)/libhellod.a

# The client's modules, so that its tests can have those they want; its main file is not among them.
CLIENT_OBJECTS := $(patsubst src/%.c,$(BUILD)/obj/%.o,$(filter-out src/client/helloc.c,$(wildcard src/client/*.c)))
CLIENT_LIBRARY := $(BUILD)/libhelloc.a

UNIT    := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))
FUZZ    := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/%,$(wildcard tests/fuzz/fuzz_*.c))
HELPERS := $(patsubst tests/lib/%.c,$(BUILD)/tests/%,$(wildcard tests/lib/*.c))
BENCH   := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))
REPLAY  := $(BUILD)/tests/replay.o

# A program: its name here, and a line that says which objects it has besides the library's.
PROGRAMS := $(BUILD)/hellod $(BUILD)/helloctl $(BUILD)/helloc
$(BUILD)/hellod: $(BUILD)/obj/hellod.o
CTL := $(patsubst src/%.c,$(BUILD)/obj/%.o,$(wildcard src/ctl/*.c))
$(BUILD)/helloctl: $(CTL)
$(BUILD)/helloc: $(BUILD)/obj/client/helloc.o $(CLIENT_LIBRARY)
$(BUILD)/helloc: private PROGRAM_LIBS = $(CLIENT_LIBRARY) $(LIBRARY) $(EDIT_LIBS) -lm
$(BUILD)/obj/client/editor.o: private PACKAGES_CFLAGS = $(EDIT_CFLAGS)

# ---- Flags ---------------------------------------------------------------------------------------------------------

# $(call once,NAME,VALUE): works VALUE out when NAME is first used, and never again.
once = $(eval $1 := $2)$($1)

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla -Wformat=2 -Wundef $(if $(WERROR),-Werror)

# What not every compiler or processor has; -Werror turns "ignored" and "unused" into a no.
OPTIONAL  := -fstack-clash-protection -fcf-protection -mbranch-protection=standard
SUPPORTED  = $(call once,SUPPORTED,$(shell for flag in $(OPTIONAL); do \
             echo 'int x;' | $(CC) $(CFLAGS) -Werror $$flag -x c -c -o /dev/null - 2>/dev/null && echo $$flag; done))

# Fortification needs an optimiser and a C library that knows the level; whoever sets or unsets it is obeyed.
FORTIFY    = $(if $(findstring _FORTIFY_SOURCE,$(CPPFLAGS) $(CFLAGS))$(filter -O0,$(CFLAGS)),,\
             -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$(FORTIFY_LEVEL))
FORTIFY_LEVEL = $(call once,FORTIFY_LEVEL,$(shell $(CC) -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 \
                -Werror -include stdlib.h -x c -c -o /dev/null /dev/null 2>/dev/null && echo 3 || echo 2))

PACKAGES        := libconfig libsystemd libseccomp
PACKAGES_CFLAGS  = $(call once,PACKAGES_CFLAGS,$(shell $(PKG_CONFIG) --cflags $(PACKAGES)))
PACKAGES_LIBS    = $(call once,PACKAGES_LIBS,$(shell $(PKG_CONFIG) --libs $(PACKAGES)))
EDIT_CFLAGS      = $(call once,EDIT_CFLAGS,$(shell $(PKG_CONFIG) --cflags libedit))
EDIT_LIBS        = $(call once,EDIT_LIBS,$(shell $(PKG_CONFIG) --libs libedit))
CMOCKA           = $(call once,CMOCKA,$(shell $(PKG_CONFIG) --cflags --libs cmocka))

DIALECT  := -std=gnu17 -D_GNU_SOURCE -Isrc
DEFINES   = -DHELLOD_VERSION=\"$(VERSION)\" -DHELLOD_SYSCONFDIR=\"$(SYSCONFDIR)\"
# What the program tells of its building: nothing that differs from one place to another.
SHOWN     = $(filter-out -ffile-prefix-map=% -fdebug-prefix-map=% -fmacro-prefix-map=% -fprofile%,\
            $(filter -O% -g -f% -m% -U_FORTIFY% -D_FORTIFY% -pie -Wl$(comma)-z% -Wl$(comma)--as-needed%,\
            -O2 -g -fPIE -fstack-protector-strong $(SUPPORTED) $(FORTIFY) $(CPPFLAGS) $(CFLAGS) $(LINKING)))
comma    := ,
LIBRARIES = $(call once,LIBRARIES,$(foreach package,$(PACKAGES),$(package) $(shell $(PKG_CONFIG) --modversion $(package))))
COMPILE   = $(CC) $(DIALECT) $(DEFINES) -O2 -g $(WARNINGS) -fPIE -fstack-protector-strong $(SUPPORTED) $(FORTIFY) \
            $(PACKAGES_CFLAGS) $(CPPFLAGS) $(CFLAGS)
LINKING   = -pie -Wl,--as-needed,-z,relro,-z,now,-z,noexecstack $(LDFLAGS)
PROGRAM_LIBS = $(LIBRARY) $(PACKAGES_LIBS)
DEPENDS   = -MMD -MP -MF $(basename $@).d -MT $@

# ---- Building ------------------------------------------------------------------------------------------------------

programs: $(PROGRAMS)
library: $(LIBRARY) $(CLIENT_LIBRARY)
everything: programs $(UNIT) $(FUZZ) $(HELPERS) $(BENCH)

$(PROGRAMS): $(LIBRARY)
	$(COMPILE) $(LINKING) -o $@ $(filter %.o,$^) $(PROGRAM_LIBS) $(LDLIBS)

$(LIBRARY): $(OBJECTS) $(BUILD)/objects
	rm -f $@
	$(AR) rcs $@ $(OBJECTS)

$(CLIENT_LIBRARY): $(CLIENT_OBJECTS) $(BUILD)/objects
	rm -f $@
	$(AR) rcs $@ $(CLIENT_OBJECTS)

$(BUILD)/obj/base/about.o: private DEFINES += '-DHELLOD_FLAGS="$(SHOWN)"' '-DHELLOD_LIBRARIES="$(LIBRARIES)"'

$(BUILD)/obj/%.o: src/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(COMPILE) $(DEPENDS) -c -o $@ $<

# A unit test may include the module it tests: what it defines itself is not taken from the library.
$(UNIT): $(BUILD)/tests/%: tests/unit/%.c $(CLIENT_LIBRARY) $(LIBRARY)
	@mkdir -p $(@D)
	$(COMPILE) $(DEPENDS) $(LINKING) -o $@ $< $(CLIENT_LIBRARY) $(LIBRARY) $(CMOCKA) $(PACKAGES_LIBS) -lm $(LDLIBS)

# With REPLAY= and LDFLAGS=-fsanitize=fuzzer these are the fuzzers themselves.
$(FUZZ): $(BUILD)/tests/%: tests/fuzz/%.c $(REPLAY) $(CLIENT_LIBRARY) $(LIBRARY)
	@mkdir -p $(@D)
	$(COMPILE) $(DEPENDS) $(LINKING) -o $@ $< $(REPLAY) $(CLIENT_LIBRARY) $(LIBRARY) $(PACKAGES_LIBS) $(LDLIBS)

$(BUILD)/tests/replay.o: tests/fuzz/replay.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(COMPILE) $(DEPENDS) -c -o $@ $<

$(HELPERS): $(BUILD)/tests/%: tests/lib/%.c $(LIBRARY)
	@mkdir -p $(@D)
	$(COMPILE) $(DEPENDS) $(LINKING) -o $@ $< $(LIBRARY) $(PACKAGES_LIBS) $(LDLIBS)

# Without the library: what is measured against must owe us nothing.
$(BENCH): $(BUILD)/bench/%: tests/bench/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(COMPILE) $(DEPENDS) $(LINKING) -o $@ $< $(LDLIBS)

# These measure a part of ours by itself.
COSTS := $(filter $(BUILD)/bench/cost_%,$(BENCH))
$(COSTS): $(LIBRARY)
$(COSTS): private LDLIBS += $(LIBRARY)

# Files that change when what they say changes: other flags or another compiler rebuild all, a module that is gone
# leaves the library. -Werror makes no other objects.
quoted  = '$(subst ','\'',$1)'
remember = @mkdir -p $(@D); printf '%s\n' $(call quoted,$1) >$@.new; \
           if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(BUILD)/flags: FORCE
	$(if $(and $(PACKAGES_LIBS),$(EDIT_LIBS)),,$(error \
	    pkg-config finds no $(PACKAGES) or no libedit: "packaging/install-needs build" installs them))
	$(call remember,$(filter-out -Werror,$(COMPILE)) $(LINKING) $(PACKAGES_LIBS) $(EDIT_LIBS) $(LDLIBS) / $(shell $(CC) --version | head -n 1))

$(BUILD)/objects: FORCE
	$(call remember,$(OBJECTS) / $(CLIENT_OBJECTS))

-include $(OBJECTS:.o=.d) $(CTL:.o=.d) $(CLIENT_OBJECTS:.o=.d) $(BUILD)/obj/client/helloc.d $(BUILD)/obj/hellod.d $(wildcard $(BUILD)/tests/*.d $(BUILD)/bench/*.d)

# ---- Doing ---------------------------------------------------------------------------------------------------------

# A make of its own, after installing: what this one has found out may be out of date. One job a processor unless told.
again = $(MAKE) -s --no-print-directory $(if $(findstring --jobserver,$(MAKEFLAGS)),,-j$$(nproc))

#: make              builds build/hellod, helloctl and helloc (CC=clang, CFLAGS=..., WERROR=1 as you like)
#: make run          installs what the build needs, builds, serves on port 3288 in the foreground
run:
	@packaging/install-needs build
	+@$(again) all
	@packaging/serve-here $(BUILD)

#: make check        installs what the tests need, builds, runs all tests
check:
	@packaging/install-needs check
	+@$(again) WERROR=1 suite

#: make unit         the unit tests alone, which need cmocka and nothing else
unit: $(UNIT)
	@tests/run $(BUILD) unit

suite: programs $(UNIT) $(FUZZ) $(HELPERS)
	@tests/run $(BUILD)

#: make check-system as root: boots Debian 12 and 13 in containers and tests the service under their systemd
check-system:
	@[ "$$(id -u)" = 0 ] || { echo "check-system: only root can boot containers: sudo make check-system" >&2; exit 1; }
	@packaging/install-needs check-system
	@$(PYTHON) tests/system/run

#: make check-metrics has Prometheus scrape a hellod, and checks the alerts and the dashboard of doc
check-metrics:
	@packaging/install-needs check-metrics
	+@$(again) programs
	@tests/prometheus/run $(BUILD) $(PYTEST_ARGS)

#: make lint         every checker of sources, scripts and pages; zero findings
lint:
	@packaging/install-needs lint
	+@$(again) WERROR=1 programs
	@FLAGS='$(DIALECT)' tests/lint/run $(BUILD)

#: make format       lays the C sources out as .clang-format says
format:
	find src tests -name '*.[ch]' -exec clang-format -i {} +

#: make sanitize     all tests under ASan and UBSan, most under valgrind
sanitize:
	@packaging/install-needs sanitize
	@tests/sanitize/run $(BUILD)

#: make fuzz         each fuzzer for FUZZ_SECONDS (60)
fuzz:
	@packaging/install-needs fuzz
	@tests/fuzz/run $(BUILD)

#: make fuzz-server  FUZZ_CONVERSATIONS (100000) of random clients with the daemon, and a tenth of that with sanitizers in it
fuzz-server:
	@packaging/install-needs fuzz
	+@$(again) programs $(HELPERS)
	@tests/fuzz/run-server $(BUILD)

#: make bench        CPU time per request beside the least program that could do the same
bench:
	@packaging/install-needs bench
	+@$(again) programs $(BENCH)
	@tests/bench/run --build $(BUILD) $(BENCH_OPTIONS)

#: make bench-scale  10 to 50000 connections, 1 to 4 workers: time per request, memory, start, reload; three minutes
bench-scale:
	@packaging/install-needs bench
	+@$(again) programs $(BENCH)
	@tests/bench/scale --build $(BUILD) $(BENCH_OPTIONS)

#: make bench-overload as root: how long one client waits while others flood the service
bench-overload:
	@packaging/install-needs bench
	+@$(again) programs $(BENCH) $(HELPERS)
	@tests/bench/overload --build $(BUILD) $(BENCH_OPTIONS)

#: make bench-balance  as root: do all workers get the same number of connections, and is nobody woken for nothing?
bench-balance:
	@packaging/install-needs bench-balance
	+@$(again) programs
	@tests/bench/balance --build $(BUILD) $(BENCH_OPTIONS)

#: make bench-tail     as root: how long one client waits while 5 000 rude ones work, beside the least program
bench-tail:
	@packaging/install-needs bench
	+@$(again) programs $(BENCH)
	@tests/bench/tail --build $(BUILD) $(BENCH_OPTIONS)

#: make figures      system calls and instructions per request: what no noise touches, each below its limit
figures:
	@packaging/install-needs figures
	+@$(again) programs $(BENCH)
	@tests/bench/figures --build $(BUILD)

#: make bench-peers  CPU time per request beside Apache, xinetd, nginx, memcached, redis and two small Python servers
bench-peers:
	@packaging/install-needs bench-peers
	+@$(again) programs $(BENCH)
	@tests/bench/peers --build $(BUILD) $(BENCH_OPTIONS)

#: make performance  as root: runs all benchmarks on a quiet machine, and makes doc/PERFORMANCE.md from what they find
performance:
	@packaging/install-needs performance
	+@$(again) programs $(BENCH) $(HELPERS)
	@tests/bench/report --build $(BUILD) --run-all

#: make loss         is anything lost by reloads, kills of workers and restarts? Some minutes of load, and a table
loss:
	@packaging/install-needs build
	+@$(again) all
	@HELLOD=$(BUILD)/hellod $(PYTHON) tests/loss/run $(LOSS_OPTIONS)

#: make soak         SOAK_SECONDS (1800) of rude load, kills and reloads: does it hold at the end what it held at first?
soak:
	@packaging/install-needs check
	+@$(again) programs $(HELPERS)
	@HELLOD=$(BUILD)/hellod HELLOD_SCOREBOARD=$(BUILD)/tests/scoreboard_dump $(PYTHON) tests/soak/run --seconds $(SOAK_SECONDS)

#: make install      into PREFIX (/usr/local) and SYSCONFDIR (/etc), below DESTDIR; never replaces a config
# With Fedora 42 and later it is SBINDIR=/usr/bin.
SBINDIR ?= $(PREFIX)/sbin
SBIN  := $(DESTDIR)$(SBINDIR)
BIN   := $(DESTDIR)$(PREFIX)/bin
MAN   := $(DESTDIR)$(PREFIX)/share/man
UNITS := $(DESTDIR)$(PREFIX)/lib/systemd/system
CONF  := $(DESTDIR)$(SYSCONFDIR)/hellod
USERS := $(DESTDIR)$(PREFIX)/lib/sysusers.d
CATALOG := $(DESTDIR)$(PREFIX)/lib/systemd/catalog
SAMPLES := $(DESTDIR)$(PREFIX)/share/doc/hellod/examples
BASH := $(DESTDIR)$(PREFIX)/share/bash-completion/completions
ZSH  := $(DESTDIR)$(PREFIX)/share/zsh/site-functions
# Where monitoring systems look for plugins; on EL and Fedora it is PLUGINDIR=/usr/lib64/nagios/plugins.
PLUGINDIR ?= $(PREFIX)/lib/nagios/plugins
PLUGINS := $(DESTDIR)$(PLUGINDIR)
pages1 := $(wildcard man/*.1)
units := $(addprefix $(BUILD)/systemd/,hellod.service hellod@.service hellod.socket hellod-metrics.socket hellod-metrics@.service)
samples := systemd/examples/socket-only.conf doc/prometheus-rules.yml doc/grafana-dashboard.json

# Units say where things are: that changes with PREFIX, and no file tells when. The program has SYSCONFDIR compiled in and
# is built again for another one; manual pages and the comments in the sample and in the units name the default, /etc.
placed = sed -e 's|@SBINDIR@|$(SBINDIR)|g' -e 's|@SYSCONFDIR@|$(SYSCONFDIR)|g'

$(BUILD)/systemd/hellod@.service: systemd/hellod.service systemd/instance.sed FORCE
	@mkdir -p $(@D)
	@sed -f systemd/instance.sed $< | $(placed) >$@

$(BUILD)/systemd/%: systemd/% FORCE
	@mkdir -p $(@D)
	@$(placed) $< >$@

install: all $(units)
	$(INSTALL) -d $(SBIN) $(BIN) $(MAN)/man1 $(MAN)/man5 $(MAN)/man8 $(UNITS) $(CATALOG) $(USERS) $(SAMPLES) $(BASH) \
	    $(ZSH) $(PLUGINS) $(CONF)/conf.d
	$(INSTALL) -m 755 $(BUILD)/hellod $(BUILD)/helloctl $(SBIN)
	$(INSTALL) -m 755 $(BUILD)/helloc $(BIN)
	ln -sfr $(BIN)/helloc $(PLUGINS)/check_hello
	$(INSTALL) -m 644 $(pages1) $(MAN)/man1
	ln -sf helloc-check.1 $(MAN)/man1/check_hello.1
	$(INSTALL) -m 644 man/hellod.conf.5 $(MAN)/man5
	$(INSTALL) -m 644 man/hellod.8 man/helloctl.8 $(MAN)/man8
	$(INSTALL) -m 644 completion/hellod.bash $(BASH)/hellod
	$(INSTALL) -m 644 completion/helloctl.bash $(BASH)/helloctl
	$(INSTALL) -m 644 completion/helloc.bash $(BASH)/helloc
	$(INSTALL) -m 644 completion/_hellod completion/_helloctl completion/_helloc $(ZSH)
	$(INSTALL) -m 644 $(units) $(UNITS)
	$(INSTALL) -m 644 systemd/hellod.catalog $(CATALOG)
	$(INSTALL) -m 644 systemd/hellod.sysusers $(USERS)/hellod.conf
	$(INSTALL) -m 644 $(samples) $(SAMPLES)
	@if [ ! -e $(CONF)/hellod.conf ]; then \
	    $(INSTALL) -m 644 etc/hellod/hellod.conf $(CONF); \
	elif ! cmp -s etc/hellod/hellod.conf $(CONF)/hellod.conf; then \
	    $(INSTALL) -m 644 etc/hellod/hellod.conf $(CONF)/hellod.conf.new; \
	    echo "$(CONF)/hellod.conf is left as it is; the new sample is hellod.conf.new beside it"; \
	fi

#: make uninstall    takes away what install put there, but not the config
uninstall:
	rm -f $(SBIN)/hellod $(SBIN)/helloctl $(BIN)/helloc $(PLUGINS)/check_hello \
	    $(addprefix $(MAN)/man1/,$(notdir $(pages1)) check_hello.1) $(MAN)/man5/hellod.conf.5 $(MAN)/man8/hellod.8 $(MAN)/man8/helloctl.8 \
	    $(BASH)/hellod $(BASH)/helloctl $(BASH)/helloc $(ZSH)/_hellod $(ZSH)/_helloctl $(ZSH)/_helloc \
	    $(CONF)/hellod.conf.new $(CATALOG)/hellod.catalog \
	    $(addprefix $(UNITS)/,$(notdir $(units))) $(USERS)/hellod.conf $(addprefix $(SAMPLES)/,$(notdir $(samples)))
	@if [ -e $(CONF) ]; then echo "$(CONF) is left as it is"; fi

#: make image        build/image: a portable service for portablectl, as a folder and as a file, and a container's root
image:
	@packaging/install-needs image
	@rm -rf $(BUILD)/image/installed
	+@$(again) install DESTDIR=$(BUILD)/image/installed PREFIX=/usr SYSCONFDIR=/etc >/dev/null
	@packaging/build-image $(BUILD) $(VERSION)

#: make dist         build/dist/hellod-VERSION.tar.gz: the sources, the same bytes whoever makes it
dist:
	@packaging/dist $(BUILD) $(VERSION)

#: make deb          build/deb/*.deb: the Debian packages (VERSION=0.0.9 makes those of another number)
deb:
	@packaging/install-needs deb
	@packaging/build-deb $(BUILD) $(VERSION)

#: make rpm          build/rpm/*.rpm: the rpm packages, in form for Fedora and EL (RPMBUILD_ARGS=--nocheck: no tests)
rpm:
	@packaging/install-needs rpm
	@packaging/build-rpm $(BUILD) $(VERSION) $(RPMBUILD_ARGS)

#: make check-packages builds all these twice, on Debian: same bytes, the listed files, no finding of those who look
check-packages:
	@packaging/install-needs check-packages
	@tests/packages/run $(BUILD)

#: make clean        removes build
clean:
	rm -rf $(BUILD)

help:
	@sed -n 's/^#: //p' Makefile

# Makes hellod@.service of hellod.service: the same service, with a configuration and a runtime directory of its own.
# `systemctl start hellod@second` reads /etc/hellod/second/hellod.conf, and conf.d beside it.
1s|.*|# hellod with the configuration /etc/hellod/%i/hellod.conf; all else is as in hellod.service.|
s|^Description=.*|& (%i)|
s|^ExecStart=.*|& -c @SYSCONFDIR@/hellod/%i/hellod.conf|
s|^RuntimeDirectory=.*|&-%i|
s|/run/hellod,|/run/hellod-%i,|

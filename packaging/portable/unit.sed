# Makes the units of the portable service image of those that `make install` installs.
1s|$|\n# As it is in the portable service image, with the changes that this asks for.|
# What is said there about images and users is not so here.
/^#   RootDirectory=/d
/^#   DynamicUser=/d
# The host need not know the user: if it does, the service is that one, else systemd makes one up.
s|^Group=hellod|&\nDynamicUser=yes|
# It is to need no profile of portablectl's: /proc, /dev and a /run of its own.
s|^RuntimeDirectory=|MountAPIVFS=yes\n&|
# The host's configuration, where it has one, stands in place of the image's.
s|^MountAPIVFS=yes|&\nBindReadOnlyPaths=-/etc/hellod|
# Paths of the image, not of the host.
s|^NoExecPaths=/|NoExecPaths=+/|
/^ExecPaths=/{
    s|=/|=+/|
    s| /| +/|g
    s| -/| -+/|g
}

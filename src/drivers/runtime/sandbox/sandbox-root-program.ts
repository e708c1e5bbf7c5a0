/**
 * The part of a namespace holder that furnishes the root of a sandbox before bubblewrap starts: `/dev`, `/sys` and what
 * is bound. bubblewrap would read the whole table of mounts for each of them.
 *
 * What is bound goes to a place that was opened without following a link: an image wrote what lies there, or an earlier
 * step did, and a link of theirs would lead into the host.
 */
export const sandboxRootProgram = String.raw`
use constant {
  AT_FDCWD => -100, AT_RECURSIVE => 0x8000, AT_EMPTY_PATH => 0x1000, OPEN_TREE_CLONE => 1, F_EMPTY_PATH => 4, T_EMPTY_PATH => 0x40,
  O_PATH => 010000000, RESOLVE_NO_SYMLINKS => 4, RESOLVE_BENEATH => 8, S_IFCHR => 0020000, ENOENT => 2,
  ATTR_RDONLY => 1, ATTR_NOSUID => 2, ATTR_NODEV => 4,
};
# Major number in the higher byte, minor in the lower (the kernel's admin-guide/devices.txt).
my %device = (null => 0x103, zero => 0x105, full => 0x107, random => 0x108, urandom => 0x109, tty => 0x500);
my %deviceLink = (fd => '/proc/self/fd', stdin => '/proc/self/fd/0', stdout => '/proc/self/fd/1', stderr => '/proc/self/fd/2', ptmx => 'pts/ptmx');

# Answers undef, or the name of what could not be made: $! says why.
sub furnish_root {
  my ($root, $shmBytes, @binds) = @_;
  my $mask = umask 0022;
  my $missing = furnish_devices("$root/dev", $shmBytes);
  my $top = syscall($nr{openat}, AT_FDCWD, $root, O_PATH, 0);
  while (!defined $missing && @binds) {
    my ($source, $target, $isWritable) = splice @binds, 0, 3;
    bind_below($source, $top, $target, ATTR_NOSUID | ATTR_NODEV | ($isWritable ? 0 : ATTR_RDONLY)) or $missing = $target;
  }
  my $why = $!;
  syscall($nr{close}, $top);
  umask $mask;
  $! = $why;
  return $missing;
}

sub furnish_devices {
  my ($folder, $shmBytes) = @_;
  # Whoever runs in the sandbox may make no device: the capability is not among theirs.
  mount('tmpfs', $folder, 'tmpfs', MS_NOSUID | MS_NOEXEC, 'mode=0755') or return '/dev';
  for my $name (keys %device) { make_device($folder, $name) or return "/dev/$name" }
  for my $name (keys %deviceLink) { symlink $deviceLink{$name}, "$folder/$name" or return "/dev/$name" }
  mkdir "$folder/$_" for qw(pts shm mqueue);
  mount('devpts', "$folder/pts", 'devpts', MS_NOSUID | MS_NOEXEC, 'newinstance,ptmxmode=0666,mode=620') or return '/dev/pts';
  mount('tmpfs', "$folder/shm", 'tmpfs', MS_NOSUID | MS_NODEV, "mode=1777,size=$shmBytes") or return '/dev/shm';
  mount('mqueue', "$folder/mqueue", 'mqueue', MS_NOSUID | MS_NODEV | MS_NOEXEC, '') or return '/dev/mqueue';
  return undef;
}

# Who has a user namespace of his own may make none: he gets the host's.
sub make_device {
  my ($folder, $name) = @_;
  my $path = "$folder/$name";
  return chmod 0666, $path if syscall($nr{mknodat}, AT_FDCWD, $path, S_IFCHR | 0666, $device{$name}) == 0;
  put_empty($path) or return 0;
  my $top = syscall($nr{openat}, AT_FDCWD, $folder, O_PATH, 0);
  my $done = bind_below("/dev/$name", $top, $name, ATTR_NOSUID);
  syscall($nr{close}, $top);
  return $done;
}

sub put_empty { open(my $file, '>', $_[0]) or return 0; return close $file }

sub bind_below {
  my ($source, $top, $target, $attributes) = @_;
  my $place = place_below($top, join '/', grep { $_ ne '' } split m{/}, $target);
  return 0 if $place < 0;
  my $tree = syscall($nr{open_tree}, AT_FDCWD, $source, OPEN_TREE_CLONE | AT_RECURSIVE, 0);
  # Not literals: perl hands over no string that it may not write to.
  my ($wanted, $empty) = (pack('QQQQ', $attributes, 0, 0, 0), '');
  my $done = $tree >= 0
    && syscall($nr{mount_setattr}, $tree, $empty, AT_EMPTY_PATH | AT_RECURSIVE, $wanted, length $wanted) == 0
    && syscall($nr{move_mount}, $tree, $empty, $place, $empty, F_EMPTY_PATH | T_EMPTY_PATH) == 0;
  my $why = $!;
  syscall($nr{close}, $_) for grep { $_ >= 0 } $tree, $place;
  $! = $why;
  return $done;
}

# A place below the workspace may not be there yet.
sub place_below {
  my ($top, $path) = @_;
  my $how = pack('QQQ', O_PATH, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
  my $place = syscall($nr{openat2}, $top, $path, $how, length $how);
  return $place if $place >= 0 || $! != ENOENT;
  my ($above, $name) = $path =~ m{^(?:(.*)/)?([^/]+)$} or return -1;
  my $parent = defined $above ? place_below($top, $above) : $top;
  return -1 if $parent < 0;
  syscall($nr{mkdirat}, $parent, $name, 0755);
  syscall($nr{close}, $parent) if defined $above;
  return syscall($nr{openat2}, $top, $path, $how, length $how);
}
`;

/** System calls that this part makes by number, beside those of the holder. */
export const sandboxRootCalls = ['mknodat', 'openat2', 'open_tree', 'mount_setattr', 'move_mount'] as const;

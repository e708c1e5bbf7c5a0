import { sandboxRootCalls, sandboxRootProgram } from './sandbox-root-program.ts';

/**
 * The program of a namespace holder: the one process per job that keeps its mount, network and process namespaces, and
 * the parent of its steps' launchers. It is perl because perl-base is on every Debian system and can call the kernel
 * without a compiler; nothing of it ever runs inside a step's root file system.
 *
 * Two processes: the outer one dies with the runner (PDEATHSIG) and is the parent of the inner one, which is process 1
 * of the job's process namespace; when that one dies, the kernel ends everything the job ever started.
 *
 * Standard input carries commands: a 4-byte length, then fields as `N/a*`. Standard output answers in lines. End of
 * input means that the runner is gone.
 *
 *     workspace <source|''> <overlay options|''> <links by newline>    binds a folder or mounts an overlay as the workspace
 *     objects <folder>    binds the objects of the project's repository, read-only
 *     volume <number> <options>    mounts a volume in memory
 *     cache-place <number>    makes the folder where a cache will be mounted
 *     cache <number> <overlay options> <links by newline>    mounts a cache; over what is there, when done again
 *     cache-show <number> <flags of openat> <path by slash> <over what is there|''>    shows it in the workspace too
 *     cache-lock <number> <1|''>    makes it read-only, which fails while files are open for writing; or writable again
 *     cache-drop <number>
 *     launch <id> <pipes> <cgroup files by newline> <overlay options> <links by newline> <seccomp file|''> <own process namespace|''>
 *            <visible cgroup folders by newline> <file name|''> <file text> <options by NUL|''> <furniture by NUL|''> <arguments…>
 *            furniture: size of /dev/shm, then source, target and <1|''> (writable) of each bind
 *     kill <id>
 *
 *     ready · pipes <n> <out> <err> <gate> <status> · workspace-ok · workspace-failed <why> · objects-ok · objects-failed <why> · volume-<number>-ok · volume-<number>-failed <why> · cache…-<number>-ok · cache…-<number>-failed <why> · opened <id> · refused <id> <why> · exited <id> <wait status>
 */
export const namespaceHolderProgram = String.raw`
use strict;
my ($mountPoint, $runnerPid, $isRootless, @numbers) = @ARGV;
my %nr = map { split /=/, $_, 2 } @numbers;
$_ = 0 + $_ for values %nr;

use constant {
  NEWNS => 0x20000, NEWNET => 0x40000000, NEWPID => 0x20000000, NEWUSER => 0x10000000, NEWIPC => 0x8000000,
  MS_RDONLY => 1, MS_NOSUID => 2, MS_NODEV => 4, MS_NOEXEC => 8, MS_BIND => 4096, MS_REC => 16384,
  MS_PRIVATE => 1 << 18, MS_SLAVE => 1 << 19, MS_SHARED => 1 << 20, MS_REMOUNT => 32,
};

sub fail { my $why = "$_[0]: $!"; $why =~ s/\s+/ /g; syswrite(STDOUT, "failed $why\n"); exit 1 }
sub mount {
  my ($source, $target, $type, $flags, $data) = @_;
  return syscall($nr{mount}, $source, $target, $type, 0 + $flags, $data eq '' ? 0 : $data) == 0;
}
sub put { my ($path, $text) = @_; open(my $file, '>', $path) or return 0; my $done = syswrite($file, $text); close $file; return $done }
sub die_with_parent { syscall($nr{prctl}, 1, 9, 0, 0, 0) }

die_with_parent();
exit 1 if getppid() != $runnerPid;

if ($isRootless) {
  my ($uid, $gid) = ($>, 0 + $));
  syscall($nr{unshare}, NEWUSER) == 0 or fail('user namespace');
  put('/proc/self/setgroups', 'deny');
  put('/proc/self/uid_map', "0 $uid 1") or fail('uid_map');
  put('/proc/self/gid_map', "0 $gid 1") or fail('gid_map');
}
syscall($nr{unshare}, NEWNS | NEWNET | NEWPID) == 0 or fail('unshare');
mount('none', '/', '', MS_REC | MS_PRIVATE, '') or fail('private mounts');
mount('tmpfs', $mountPoint, 'tmpfs', MS_NOSUID | MS_NODEV, 'size=64m,mode=0700') or fail('tmpfs');
mkdir "$mountPoint/$_" for qw(root workspace objects volumes caches sys launcher cgroup draft);
mount('tmpfs', "$mountPoint/draft", 'tmpfs', MS_NOSUID | MS_NODEV, 'size=64k,mode=0700') or fail('tmpfs');

my $inner = fork();
defined $inner or fail('fork');
if ($inner) {
  syswrite(STDOUT, "pid $inner\n");
  open(STDIN, '<', '/dev/null');
  open(STDOUT, '>', '/dev/null');
  waitpid($inner, 0);
  exit($? == 0 ? 0 : 1);
}

die_with_parent();
mount('proc', '/proc', 'proc', MS_NOSUID | MS_NODEV | MS_NOEXEC, '') or fail('proc');
mount('sysfs', "$mountPoint/sys", 'sysfs', MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, '') or fail('sysfs');
# What of /sys tells about, or reaches, the machine below.
for my $hidden ('firmware', 'kernel/security', 'devices/virtual/powercap') {
  my $path = "$mountPoint/sys/$hidden";
  mount('tmpfs', $path, 'tmpfs', MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, 'size=4k') if -d $path;
}

# What is mounted here from now on appears in the sandboxes too, those that wait behind their gates included.
mount('none', $mountPoint, '', MS_SHARED, '') or fail('shared mounts');

# The loopback goes up by SIOCSIFFLAGS.
socket(my $socket, 2, 2, 0) or fail('socket');
my $request = pack('a16 s x14', 'lo', 1);
ioctl($socket, 0x8914, $request) or fail('loopback');
close $socket;
# Ping without CAP_NET_RAW; no IPv6 but on the loopback.
put('/proc/sys/net/ipv4/ping_group_range', '0 2147483647');
put('/proc/sys/net/ipv6/conf/default/disable_ipv6', '1');
put('/proc/self/oom_score_adj', '0');

my (%pidOf, %idOf, %watch);
my (%endsOf, $nextPipes);
my $umask = umask 0077;
# The step's ends of pipes: the runner opens its own by /proc/<pid>/fd, so that no file system is asked for anything.
sub make_pipes {
  for (1 .. $_[0]) {
    my @ends;
    for my $name (qw(out err gate status)) {
      pipe(my $from, my $to) or fail('pipe');
      push @ends, $name eq 'gate' ? $from : $to;
    }
    $nextPipes += 1;
    $endsOf{$nextPipes} = \@ends;
    syswrite(STDOUT, "pipes $nextPipes " . join(' ', map { fileno $_ } @ends) . "\n");
  }
}

# Options that name layers by number are read in a folder where the numbers are links to them.
sub enter_links {
  my ($name, $links) = @_;
  return if $links eq '';
  my $folder = "$mountPoint/layers-$name";
  mkdir $folder;
  my $number = 0;
  for my $path (split /\n/, $links) { symlink $path, "$folder/$number"; $number += 1 }
  chdir $folder;
}

sub set_workspace {
  my ($source, $options, $links) = @_;
  enter_links('workspace', $links);
  my $target = "$mountPoint/workspace";
  my $done = $options ne ''
    ? mount('overlay', $target, 'overlay', MS_NODEV | MS_NOSUID, $options)
    : show_folder($source, 'workspace', 0);
  report('workspace', $done);
}

sub make_volume {
  my ($number, $options) = @_;
  my $place = "$mountPoint/volumes/$number";
  mkdir $place, 0700;
  report("volume-$number", mount('tmpfs', $place, 'tmpfs', MS_NOSUID | MS_NODEV, $options));
}

sub make_cache {
  my ($number, $options, $links) = @_;
  my $place = "$mountPoint/caches/$number";
  mkdir $place, 0700;
  enter_links("cache-$number", $links);
  my $done = mount('overlay', $place, 'overlay', MS_NODEV | MS_NOSUID, $options);
  my $why = $!;
  chdir '/';
  $! = $why;
  report("cache-$number", $done);
}

# Steps write in the workspace: each folder on the way is opened by itself, and no link is followed. What they put there
# afterwards does not matter, since the mount goes to the folder that was opened.
sub show_cache {
  my ($number, $flags, $path, $isOver) = @_;
  my $what = "cache-show-$number";
  my $folder = syscall($nr{openat}, -100, "$mountPoint/workspace", 0 + $flags, 0);
  return report($what, 0) if $folder < 0;
  # ENOENT is 2.
  for my $name (split m{/}, $path) {
    my $next = syscall($nr{openat}, $folder, $name, 0 + $flags, 0);
    if ($next < 0 && $! == 2) {
      my $mask = umask 0022;
      syscall($nr{mkdirat}, $folder, $name, 0755);
      umask $mask;
      $next = syscall($nr{openat}, $folder, $name, 0 + $flags, 0);
    }
    my $why = $!;
    syscall($nr{close}, $folder);
    $! = $why;
    return report($what, 0) if $next < 0;
    $folder = $next;
  }
  opendir(my $list, "/proc/self/fd/$folder") or return report($what, 0);
  my @found = grep { $_ ne '.' && $_ ne '..' } readdir $list;
  closedir $list;
  if (@found && !$isOver) { syscall($nr{close}, $folder); return syswrite(STDOUT, "$what-failed occupied\n") }
  my $done = mount("$mountPoint/caches/$number", "/proc/self/fd/$folder", '', MS_BIND, '');
  my $why = $!;
  syscall($nr{close}, $folder);
  $! = $why;
  report($what, $done);
}

sub lock_cache {
  my ($number, $isLocked) = @_;
  my $flags = MS_REMOUNT | MS_NODEV | MS_NOSUID | ($isLocked ? MS_RDONLY : 0);
  report("cache-lock-$number", mount('none', "$mountPoint/caches/$number", '', $flags, ''));
}

sub report { my ($what, $done) = @_; my $why = "$!"; $why =~ s/\s+/ /g; syswrite(STDOUT, $done ? "$what-ok\n" : "$what-failed $why\n") }

# Its flags are set where nobody sees it: a sandbox gets the mount as it is at that moment.
sub show_folder {
  my ($source, $name, $flags) = @_;
  my $draft = "$mountPoint/draft/$name";
  mkdir $draft;
  return mount($source, $draft, '', MS_BIND, '')
    && mount('none', $draft, '', MS_REMOUNT | MS_BIND | MS_NODEV | MS_NOSUID | $flags, '')
    && mount($draft, "$mountPoint/$name", '', MS_BIND, '');
}

sub launch {
  my ($id, $pipes, $cgroups, $overlay, $links, $seccomp, $ownPids, $visible, $fileName, $fileText, $options, $furniture, @command) = @_;
  my $ends = delete $endsOf{$pipes};
  if ($ownPids) { syscall($nr{unshare}, NEWPID) == 0 or return syswrite(STDOUT, "refused $id process namespace: $!\n") }
  my $pid = fork();
  my $forkError = "$!";
  if (defined $pid && $pid == 0) { run_launcher($id, $ends, $cgroups, $overlay, $links, $seccomp, $ownPids, $visible, $fileName, $fileText, $options, $furniture, @command) }
  if ($ownPids) {
    # Later children belong to the job's own process namespace again.
    open(my $own, '<', '/proc/self/ns/pid') or fail('own process namespace');
    syscall($nr{setns}, fileno($own), NEWPID) == 0 or fail('own process namespace');
  }
  if (!defined $pid) { syswrite(STDOUT, "refused $id fork: $forkError\n"); return }
  my $handle = syscall($nr{pidfd_open}, $pid, 0);
  if ($handle < 0) { kill 'KILL', $pid; waitpid($pid, 0); syswrite(STDOUT, "refused $id pidfd: $!\n"); return }
  $pidOf{$id} = $pid; $idOf{$pid} = $id; $watch{$pid} = $handle;
  syswrite(STDOUT, "opened $id\n");
  make_pipes(1);
}

sub run_launcher {
  my ($id, $ends, $cgroups, $overlay, $links, $seccomp, $ownPids, $visible, $fileName, $fileText, $options, $furniture, @command) = @_;
  # Those of other steps would not end as long as they are held here.
  %endsOf = ();
  # Standard error is the step's from here on: what is said before the gate opens is the launcher's own message.
  my @high = map { my $copy = fcntl($_, 0, 40); defined $copy ? 0 + $copy : exit 125 } @$ends;
  open(my $null, '<', '/dev/null');
  my @plan = ([fileno($null), 0], [$high[0], 1], [$high[1], 2], [$high[2], 3], [$high[3], 4]);
  my $filter;
  my $stop = sub { my $text = "cannot $_[0]: $!\n"; syscall($nr{write}, $high[1], $text, length $text); exit 125 };
  if ($seccomp ne '') {
    open($filter, '<', $seccomp) or $stop->('open the system call filter');
    my $copy = fcntl($filter, 0, 40);
    push @plan, [0 + $copy, 5];
  }
  for my $path (split /\n/, $cgroups) { put($path, '0') or $stop->("join the control group $path") }
  put('/proc/self/oom_score_adj', '500');
  syscall($nr{unshare}, NEWNS) == 0 or $stop->('make a mount namespace');
  # Its own mounts stay its own; the workspace and the objects may still come.
  mount('none', '/', '', MS_REC | MS_SLAVE, '') or $stop->('make mounts its own');
  enter_links($id, $links);
  mount('overlay', "$mountPoint/root", 'overlay', MS_NODEV | MS_NOSUID, $overlay) or $stop->('mount the root file system') if $overlay ne '';
  if ($furniture ne '') {
    my ($shmBytes, @binds) = split /\0/, $furniture, -1;
    syscall($nr{unshare}, NEWIPC) == 0 or $stop->('make an IPC namespace');
    my $missing = furnish_root("$mountPoint/root", $shmBytes, @binds);
    $stop->("mount $missing") if defined $missing;
    # The launcher reads the table of mounts again and again, and needs none of these.
    my $unneeded = '/sys';
    syscall($nr{umount2}, $unneeded, 2);
  }
  if ($ownPids) {
    die_with_parent();
    mount('proc', '/proc', 'proc', MS_NOSUID | MS_NODEV | MS_NOEXEC, '') or $stop->('mount /proc');
  }
  if ($visible ne '') {
    # The launcher sees only the hierarchies left over, so that ours keep their limits and counters.
    my @kept = split /\n/, $visible;
    for my $path (@kept) {
      my ($name) = $path =~ m{([^/]+)$};
      mkdir "$mountPoint/cgroup/$name";
      mount($path, "$mountPoint/cgroup/$name", '', MS_BIND, '') or $stop->("keep $path");
    }
    for my $line (reverse cgroup_mounts()) { syscall($nr{umount2}, $line, 2) }
    mount('tmpfs', '/sys/fs/cgroup', 'tmpfs', MS_NOSUID | MS_NODEV | MS_NOEXEC, 'size=64k,mode=0755') or $stop->('hide control groups');
    for my $path (@kept) {
      my ($name) = $path =~ m{([^/]+)$};
      mkdir "/sys/fs/cgroup/$name";
      mount("$mountPoint/cgroup/$name", "/sys/fs/cgroup/$name", '', MS_BIND, '') or $stop->("show $path");
    }
  }
  if ($fileName ne '') {
    my ($parent) = $fileName =~ m{^(.*)/[^/]+$};
    mkdir $parent;
    put($fileName, $fileText) or $stop->("write $fileName");
  }
  if ($options ne '') {
    # Read by the launcher from a pipe: its own command line can be seen from inside the sandbox.
    pipe(my $from, my $to) or $stop->('make a pipe');
    syswrite($to, $options);
    close $to;
    my $copy = fcntl($from, 0, 40);
    push @plan, [0 + $copy, 6];
  }
  # Without control groups this is what holds a fork bomb; RLIMIT_NPROC is 6.
  if ($isRootless) { my $many = pack('QQ', 4096, 4096); syscall($nr{prlimit64}, 0, 6, $many, 0) }
  # Core dumps off; RLIMIT_CORE is 4.
  my $none = pack('QQ', 0, 0);
  syscall($nr{prlimit64}, 0, 4, $none, 0);
  for my $step (@plan) { syscall($nr{dup3}, $step->[0], $step->[1], 0) >= 0 or exit 125 }
  chdir '/';
  umask $umask;
  %ENV = (PATH => '/usr/sbin:/usr/bin:/sbin:/bin');
  # Everything above the planned descriptors closes on exec.
  my $first = @plan;
  syscall($nr{close_range}, $first, 0xffffffff, 4);
  no warnings;
  exec { $command[0] } @command;
  my $text = "cannot run $command[0]: $!\n";
  syscall($nr{write}, 2, $text, length $text);
  exit 125;
}

${sandboxRootProgram}
sub cgroup_mounts {
  my @found;
  open(my $table, '<', '/proc/self/mountinfo') or return;
  while (my $line = <$table>) {
    my @field = split ' ', $line;
    push @found, $field[4] if $line =~ / - cgroup2? / && $field[4] =~ m{^/sys/fs/cgroup/};
  }
  return @found;
}

make_pipes(4);
syswrite(STDOUT, "ready\n");

my $buffer = '';
while (1) {
  my $bits = '';
  vec($bits, 0, 1) = 1;
  vec($bits, $_, 1) = 1 for values %watch;
  my $found = select(my $readable = $bits, undef, undef, undef);
  next if $found < 0;
  for my $pid (keys %watch) {
    next unless vec($readable, $watch{$pid}, 1);
    next if waitpid($pid, 1) != $pid;
    my $status = $?;
    my $id = delete $idOf{$pid};
    delete $pidOf{$id};
    syscall($nr{close}, delete $watch{$pid});
    syswrite(STDOUT, "exited $id $status\n");
  }
  # Process 1 also inherits orphans; those that are watched were taken above or come with the next turn.
  for my $line (orphans()) { waitpid($line, 1) }
  if (vec($readable, 0, 1)) {
    my $count = sysread(STDIN, $buffer, 65536, length $buffer);
    exit 0 if !$count;
    while (length $buffer >= 4) {
      my $length = unpack('N', $buffer);
      last if length $buffer < 4 + $length;
      my ($command, @fields) = unpack('(N/a*)*', substr($buffer, 4, $length));
      substr($buffer, 0, 4 + $length) = '';
      if ($command eq 'launch') { launch(@fields) }
      elsif ($command eq 'workspace') { set_workspace(@fields) }
      elsif ($command eq 'objects') { report('objects', show_folder($fields[0], 'objects', MS_RDONLY)) }
      elsif ($command eq 'volume') { make_volume(@fields) }
      elsif ($command eq 'cache-place') { mkdir "$mountPoint/caches/$fields[0]", 0700 }
      elsif ($command eq 'cache') { make_cache(@fields) }
      elsif ($command eq 'cache-show') { show_cache(@fields) }
      elsif ($command eq 'cache-lock') { lock_cache(@fields) }
      elsif ($command eq 'cache-drop') { report("cache-drop-$fields[0]", syscall($nr{umount2}, "$mountPoint/caches/$fields[0]", 2) == 0) }
      elsif ($command eq 'kill') { kill 'KILL', $pidOf{$fields[0]} if $pidOf{$fields[0]} }
    }
  }
}

sub orphans {
  my @found;
  open(my $list, '<', '/proc/self/task/1/children') or return;
  my $text = <$list>;
  for my $pid (split ' ', defined $text ? $text : '') { push @found, $pid unless $watch{$pid} }
  return @found;
}
`;

/** System calls that the program makes by number. */
export const namespaceHolderCalls = [
  'mount',
  'umount2',
  'unshare',
  'setns',
  'prctl',
  'mkdirat',
  'openat',
  'pidfd_open',
  'dup3',
  'close',
  'close_range',
  'write',
  'prlimit64',
  ...sandboxRootCalls,
] as const;

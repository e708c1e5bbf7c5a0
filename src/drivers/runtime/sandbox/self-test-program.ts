/**
 * What a hostile step would try, in perl: run inside a sandbox with the host's programs. Each attempt that succeeds is
 * printed as `hole <what>`; the last line is `done`. Arguments: system calls by number, then the address and port of a
 * listener on the host's loopback and of one on the job network's own gateway (or `-`).
 */
export const selfTestProgram = String.raw`
my %nr; my @listeners;
for (@ARGV) { if (/^(\w+)=(\d+)$/) { $nr{$1} = 0 + $2 } else { push @listeners, $_ } }
$| = 1;
sub hole { print "hole $_[0]\n" }
sub call { my ($name, @rest) = @_; return exists $nr{$name} && syscall($nr{$name}, @rest) >= 0 }
sub writable { open(my $file, '>>', $_[0]) ? 1 : 0 }

hole('/proc/sys/kernel/core_pattern can be opened for writing') if writable('/proc/sys/kernel/core_pattern');
hole('/proc/sys can be written') if writable('/proc/sys/vm/drop_caches') || writable('/proc/sys/kernel/modprobe') || writable('/proc/sys/net/ipv4/ip_forward');
hole('/proc/sysrq-trigger can be opened for writing') if writable('/proc/sysrq-trigger');
hole('/sys can be written') if writable('/sys/kernel/uevent_helper') || mkdir('/sys/fs/cgroup/gantry-test');
my ($none, $type, $target, $bytes) = ('none', 'tmpfs', '/tmp', "\0" x 128);
hole('mount works') if call('mount', $none, $target, $type, 0, 0);
hole('a user namespace can be made') if call('unshare', 0x10000000);
hole('a mount namespace can be made') if call('unshare', 0x20000);
hole('clone makes namespaces') if do { my $pid = syscall($nr{clone}, 0x10000000 | 17, 0, 0, 0, 0); if (defined $pid && $pid == 0) { syscall($nr{exit_group}, 0) } $pid > 0 };
hole('keyctl works') if call('keyctl', 0, -3, 1);
my $map = pack('LLLLL', 1, 4, 4, 1, 0) . "\0" x 100;
hole('bpf works') if call('bpf', 0, $map, length $map);
my $event = pack('LLQ', 1, 128, 0) . "\0" x 112;
hole('perf_event_open works') if call('perf_event_open', $event, 0, -1, -1, 0);
hole('a process outside can be traced') if call('ptrace', 16, 1, 0, 0) || call('ptrace', 0x4206, 1, 0, 0);
my $traced = fork();
if (defined $traced && $traced == 0) { syscall($nr{exit_group}, call('ptrace', 0, 0, 0, 0) ? 7 : 0) }
waitpid($traced, 0);
hole('ptrace works') if $? >> 8 == 7;
my $letter = 'x';
hole('TIOCSTI is not refused by the filter') if ioctl(STDIN, 0x5412, $letter) || $! + 0 != 1;
my ($image, $options) = ("\x7fELF", '');
hole('a kernel module can be loaded') if call('init_module', $image, 4, $options) || $! + 0 != 1;
hole('setns works') if do { open(my $own, '<', '/proc/self/ns/uts'); call('setns', fileno($own), 0) };
hole('io_uring works') if call('io_uring_setup', 1, $bytes);
hole('pivot_root works') if call('pivot_root', $target, $target);

# Device nodes: none can be made, or none of those that were made can be opened.
if (open(my $list, '<', '/proc/partitions')) {
  while (<$list>) {
    my ($major, $minor) = /^\s*(\d+)\s+(\d+)/ or next;
    my $path = "/tmp/block-$major-$minor";
    call('mknodat', -100, $path, 0060600, ($major << 8) | $minor);
    hole("block device $major:$minor can be opened") if open(my $device, '<', $path);
    unlink $path;
  }
}
for my $path (glob('/dev/*')) { hole("$path is a block device") if -b $path }
hole('the capability to administer the machine is there') if do { open(my $s, '<', '/proc/self/status'); my ($caps) = map { /^CapEff:\s+(\w+)/ } <$s>; hex($caps) & (1 << 21 | 1 << 19 | 1 << 12 | 1 << 16 | 1 << 17 | 1 << 27) };
hole('no_new_privs is off') if !do { open(my $s, '<', '/proc/self/status'); grep { /^NoNewPrivs:\s+1/ } <$s> };
# The gate and this one; runc has none besides either.
hole('processes outside of the sandbox are visible') if (() = glob('/proc/[0-9]*')) > 2;
for my $path ('/root', '/home', '/var', '/etc/shadow', '/boot') { hole("$path of the host is visible") if $path eq '/etc/shadow' ? -e $path : glob("$path/*") }

for my $listener (@listeners) {
  next if $listener eq '-';
  my ($address, $port) = split /:/, $listener;
  socket(my $socket, 2, 1, 0) or next;
  local $SIG{ALRM} = sub { die };
  eval { alarm 1; hole("the host's own address $address can be reached") if connect($socket, pack('S n C4 x8', 2, $port, split /\./, $address)); alarm 0 };
}
print "done\n";
`;

/** System calls that the program tries by number. */
export const selfTestCalls = [
  'mount',
  'unshare',
  'clone',
  'exit_group',
  'keyctl',
  'bpf',
  'perf_event_open',
  'ptrace',
  'init_module',
  'setns',
  'io_uring_setup',
  'pivot_root',
  'mknodat',
] as const;

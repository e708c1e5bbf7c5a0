/**
 * The program behind which a staged step waits as the first process of its container. It is perl by its own loader, in
 * a volume beside the image's files, so that images without a shell have a gate too; it loads no module, for what
 * `@INC` names belongs to the image.
 *
 * It reads a release from its standard input: a 4-byte length and fields as `N/a*`: mark, script, whether there is one,
 * whether the rest of the input is the step's (else it gets none), what `/etc/hosts` is to be (empty = anything), number of
 * default variables, name and value of each, number of variables, name and value of each, then the arguments. End of input
 * before the release means: discarded; after it, that the runner is gone, and with the gate every process of the container
 * ends.
 *
 * Where another step has changed `/etc/hosts`, it says `names` after the mark, on the standard error, and waits for one byte:
 * the file is as it should be then.
 *
 * How the step ended it tells at the end of the standard error, after the mark, which only the runner knows beforehand:
 * `exit <code>` · `signal <number>` · `fault <why>`, with ` oom <times>` where the kernel killed for memory. The standard
 * output ends with a mark too: who has seen both has seen all, and need not wait until the engine has noticed. An engine
 * reports 137 for an exit with 137 and for SIGKILL alike. What is left of the step it ends then, and waits until its input
 * ends: to take a container down is work for the engine, which the runner has it do at a quiet time.
 *
 * Argument: how many files the step may have open; absent = as many as the container.
 */
export const gateProgram = String.raw`
sub take {
  my ($wanted) = @_;
  my $bytes = '';
  while (length $bytes < $wanted) {
    my $count = sysread(STDIN, $bytes, $wanted - length $bytes, length $bytes);
    next if !defined $count && $! =~ /interrupt/i;
    exit 0 if !$count;
  }
  return $bytes;
}
my $length = unpack('N', take(4));
my ($mark, $script, $hasScript, $takesInput, $hosts, @rest) = unpack('(N/a*)*', take($length));
sub variables { my $count = shift @rest; return splice @rest, 0, 2 * $count }
my @defaults = variables();
my @environment = variables();
my @command = @rest;

sub say_to {
  my ($handle, $text) = @_;
  my $bytes = "$mark$text\n";
  my $done = 0;
  while ($done < length $bytes) {
    my $wrote = syswrite($handle, $bytes, length($bytes) - $done, $done);
    last if !$wrote;
    $done += $wrote;
  }
}
sub report { my ($text) = @_; say_to(\*STDOUT, 'end'); say_to(\*STDERR, $text) }
sub fault { my $why = $_[0]; $why =~ s/\s+/ /g; report('fault ' . substr($why, 0, 2000)); exit 127 }
# How often the kernel killed for want of memory here: version 1 of control groups, and version 2.
sub oomKills {
  for my $path ('/sys/fs/cgroup/memory/memory.oom_control', '/sys/fs/cgroup/memory.events') {
    open(my $file, '<', $path) or next;
    while (my $line = <$file>) { return $1 if $line =~ /^oom_kill (\d+)/ }
  }
  return 0;
}

if (length $hosts) {
  my $found = '';
  if (open(my $file, '<', '/etc/hosts')) { 1 while sysread($file, $found, 65536, length $found) }
  if ($found ne $hosts) { say_to(\*STDERR, 'names'); take(1) }
}

if ($hasScript) {
  my $path = '/dev/shm/.gantry-script';
  unlink $path;
  umask 0377;
  open(my $file, '>', $path) or fault("Cannot keep the script: $!");
  my $done = 0;
  while ($done < length $script) {
    my $wrote = syswrite($file, $script, 1 << 20, $done);
    fault("Cannot keep the script: $!") if !$wrote;
    $done += $wrote;
  }
  close $file;
  umask 0022;
  @command = ('/bin/sh', $path);
}
$script = undef;
fault('Cannot start: neither the step nor the image names a command') if !@command;

my $child = fork();
defined $child or fault("Cannot fork: $!");
if ($child == 0) {
  setpgrp(0, 0);
  if (@ARGV) {
    # prlimit64 of this process for open files: by its number on x86-64, or on others.
    my $limit = pack('QQ', 0 + $ARGV[0], 0 + $ARGV[0]);
    my $isHeld = syscall(302, 0, 7, $limit, 0) == 0 || syscall(261, 0, 7, $limit, 0) == 0;
    fault("Cannot limit open files: $!") if !$isHeld;
  }
  # Where memory runs out, the step goes before the gate that tells of it.
  if (open(my $file, '>', '/proc/self/oom_score_adj')) { print $file 500; close $file }
  open(STDIN, '<', '/dev/null') if !$takesInput;
  while (@defaults) { my $key = shift @defaults; my $value = shift @defaults; $ENV{$key} = $value unless exists $ENV{$key} }
  while (@environment) { my $key = shift @environment; $ENV{$key} = shift @environment }
  exec { $command[0] } @command;
  my $why = "$!";
  my $what = $hasScript ? 'the commands: /bin/sh of the image' : "\"$command[0]\"";
  fault("Cannot start $what: $why");
}
@environment = ();
# Where the engine gives containers no process namespace of their own, all processes would be the host's.
my $isFirst = $$ == 1;
$SIG{TERM} = sub { kill 'TERM', $isFirst ? -1 : -$child };
open(STDIN, '<', '/dev/null') if $takesInput;

sub linger {
  kill 'KILL', -1;
  # Some may be beyond our rights, or held in the kernel: those end with the container.
  for my $try (1 .. 50) {
    my $pid;
    1 while ($pid = waitpid(-1, 1)) > 0;
    if ($pid < 0) {
      vec(my $bits = '', fileno(STDIN), 1) = 1;
      select($bits, undef, undef, 10);
      return;
    }
    select(undef, undef, undef, 0.002);
  }
}

# pidfd_open has this number on every architecture. Where it is refused, the end is looked for.
my $handle = syscall(434, $child, 0);
while (1) {
  my $bits = '';
  vec($bits, fileno(STDIN), 1) = 1 if !$takesInput;
  vec($bits, $handle, 1) = 1 if $handle >= 0;
  my $found = select(my $readable = $bits, undef, undef, $handle >= 0 ? 0.5 : 0.02);
  if ($found > 0 && !$takesInput && vec($readable, fileno(STDIN), 1)) {
    my $got = sysread(STDIN, my $nothing, 4096);
    exit 137 if defined $got && !$got;
  }
  while ((my $pid = waitpid(-1, 1)) > 0) {
    next if $pid != $child;
    my $signal = $? & 127;
    my $code = $? >> 8;
    my $oom = $signal || $code ? oomKills() : 0;
    report(($signal ? "signal $signal" : "exit $code") . ($oom ? " oom $oom" : ''));
    linger() if $isFirst && !$takesInput;
    exit($signal ? 128 + $signal : $code);
  }
}
`;

/** Where the gate's volume is mounted in each container. */
export const gateFolder = '/.gantry';

export const gateCommand: readonly string[] = [
  `${gateFolder}/ld.so`,
  '--library-path',
  gateFolder,
  `${gateFolder}/perl`,
  `${gateFolder}/gate`,
];

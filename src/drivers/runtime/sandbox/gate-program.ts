/**
 * The program behind which a staged step waits, inside its sandbox but outside of the image's own files: perl and its
 * libraries lie in `/.gantry` of the skeleton layer, so that images without a shell have a gate too.
 *
 * It loads no module: what `@INC` names inside the sandbox belongs to the image.
 *
 * It says `ready` on descriptor 4 and reads descriptor 3. End of input before the release means: discarded. The release
 * is a 4-byte length and fields as `N/a*`: user, working directory, workspace or '', lines for /etc/hosts, script or '',
 * whether there is a script, number of environment fields, then name and value of each, then the arguments. It starts the step as that user, waits
 * for it and tells the exact end on descriptor 4 (`exit <code>` · `signal <number>` · `fault <why>`). A `T` that
 * arrives later is sent on as SIGTERM to everything in the sandbox but the first process and the gate itself.
 */
export const gateProgram = String.raw`
my ($kept, @numbers) = @ARGV;
my %nr = map { my ($name, $number) = split /=/, $_, 2; ($name => 0 + $number) } @numbers;
open(my $gate, '<&=', 3) or exit 125;
open(my $status, '>&=', 4) or exit 125;
fcntl($gate, 2, 1);
fcntl($status, 2, 1);
# Not to be looked into by the step's own processes where they have another user.
syscall($nr{prctl}, 4, 0, 0, 0, 0);
syswrite($status, "ready\n");

# What the launchers leave in the bounding and inheritable sets goes too; SETPCAP was only for this.
my %keep = map { $_ => 1 } split /,/, $kept;
for my $capability (0 .. 63) { last if !$keep{$capability} && syscall($nr{prctl}, 24, $capability, 0, 0, 0) < 0 && $capability > 40 }
my ($low, $high) = (0, 0);
for my $capability (keys %keep) { $capability < 32 ? ($low |= 1 << $capability) : ($high |= 1 << ($capability - 32)) }
# _LINUX_CAPABILITY_VERSION_3; per half: effective, permitted, inheritable.
my ($header, $sets) = (pack('LL', 0x20080522, 0), pack('L6', $low, $low, 0, $high, $high, 0));
syscall($nr{capset}, $header, $sets);

sub fault { my $why = $_[0]; $why =~ s/\s+/ /g; syswrite($status, 'fault ' . substr($why, 0, 2000) . "\n"); exit 127 }
sub take {
  my ($wanted) = @_;
  my $bytes = '';
  while (length $bytes < $wanted) {
    my $count = sysread($gate, $bytes, $wanted - length $bytes, length $bytes);
    exit 0 if !$count;
  }
  return $bytes;
}
my $length = unpack('N', take(4));
my ($user, $folder, $workspace, $hosts, $script, $hasScript, $count, @rest) = unpack('(N/a*)*', take($length));
my @environment = splice @rest, 0, 2 * $count;
my @command = @rest;

sub rows {
  my ($path) = @_;
  open(my $file, '<', $path) or return;
  my @rows;
  while (my $line = <$file>) { chomp $line; push @rows, [split /:/, $line, -1]; last if @rows > 20000 }
  return @rows;
}
my ($name, $group) = split /:/, $user, 2;
my ($uid, $gid, $home, @groups) = (0, 0, '/');
$name = '0' if !defined $name || $name eq '';
my ($row) = grep { $name =~ /^\d+$/ ? @$_ > 3 && $_->[2] eq $name : $_->[0] eq $name } rows('/etc/passwd');
if ($row) {
  ($uid, $gid, $home) = (0 + $row->[2], 0 + $row->[3], $row->[5]);
  if (!defined $group) {
    for my $entry (rows('/etc/group')) { push @groups, 0 + $entry->[2] if @$entry > 3 && grep { $_ eq $row->[0] } split /,/, $entry->[3] }
  }
} elsif ($name =~ /^\d+$/) { $uid = 0 + $name }
else { fault("Cannot run as user \"$name\": the image's /etc/passwd has no such user") }
if (defined $group && $group =~ /^\d+$/) { $gid = 0 + $group }
elsif (defined $group && $group ne '') {
  my ($entry) = grep { $_->[0] eq $group } rows('/etc/group');
  fault("Cannot run as group \"$group\": the image's /etc/group has no such group") unless $entry;
  $gid = 0 + $entry->[2];
}
$home = $uid == 0 ? '/root' : '/' if !defined $home || $home eq '' || ($home eq '/' && $uid == 0);

# "> /dev/stdout" opens the pipe anew, as the step's user.
chown $uid, $gid, \*STDOUT, \*STDERR;
# The file is the skeleton's own, and nothing of the step has run yet.
if ($hosts ne '') { open(my $file, '>>', '/etc/hosts') or fault("Cannot write /etc/hosts: $!"); syswrite($file, $hosts); close $file }
if (my @top = $workspace eq '' ? () : lstat $workspace) { chown $uid, $gid, $workspace if $top[4] != $uid }
my $made = '';
for my $part (split m{/}, $folder) { next if $part eq ''; $made .= "/$part"; mkdir($made, 0755) and chown $uid, $gid, $made unless -e $made }

if ($hasScript) {
  my $path = '/dev/.gantry-script';
  open(my $file, '>', $path) or fault("Cannot keep the script: $!");
  my $done = 0;
  while ($done < length $script) {
    my $wrote = syswrite($file, $script, 1 << 20, $done);
    fault("Cannot keep the script: $!") if !$wrote;
    $done += $wrote;
  }
  close $file;
  chown $uid, $gid, $path;
  chmod 0400, $path;
  @command = ('/bin/sh', $path);
}
$script = undef;
fault('Cannot start: neither the step nor the image names a command') if !@command;

my $child = fork();
defined $child or fault("Cannot fork: $!");
if ($child == 0) {
  syscall($nr{setsid});
  if ($uid || $gid || @groups) {
    my $list = pack('L*', @groups ? @groups : ($gid));
    syscall($nr{setgroups}, length($list) / 4, $list) == 0 or fault("Cannot set groups: $!");
    syscall($nr{setresgid}, $gid, $gid, $gid) == 0 or fault("Cannot become group $gid: $!");
    syscall($nr{setresuid}, $uid, $uid, $uid) == 0 or fault("Cannot become user $uid: $!");
  }
  chdir $folder or fault("Cannot enter the working directory \"$folder\": $!");
  open(STDIN, '<', '/dev/null');
  %ENV = (HOME => $home);
  while (@environment) { my $key = shift @environment; $ENV{$key} = shift @environment }
  exec { $command[0] } @command;
  my $why = "$!";
  my $what = $hasScript ? 'the commands: /bin/sh of the image' : "\"$command[0]\"";
  fault("Cannot start $what: $why");
}
@environment = ();
open(STDIN, '<', '/dev/null');
open(STDOUT, '>', '/dev/null');
open(STDERR, '>', '/dev/null');

my $handle = syscall($nr{pidfd_open}, $child, 0);
while (1) {
  my $bits = '';
  vec($bits, fileno($gate), 1) = 1 if defined fileno($gate);
  vec($bits, $handle, 1) = 1 if $handle >= 0;
  select(my $readable = $bits, undef, undef, $handle >= 0 && $$ != 1 ? undef : 0.5);
  if (defined fileno($gate) && vec($readable, fileno($gate), 1)) {
    my $order = '';
    my $got = sysread($gate, $order, 1);
    exit 137 if !$got;
    kill 'TERM', -1 if $order eq 'T';
  }
  while ((my $pid = waitpid(-1, 1)) > 0) {
    next if $pid != $child;
    my $signal = $? & 127;
    my $code = $? >> 8;
    # A fault was told by the child itself; the runner takes the first word.
    syswrite($status, $signal ? "signal $signal\n" : "exit $code\n");
    syscall($nr{exit_group}, $signal ? 128 + $signal : $code);
  }
}
`;

/** System calls that the program makes by number. */
export const gateCalls = [
  'prctl',
  'capset',
  'exit_group',
  'setsid',
  'setgroups',
  'setresgid',
  'setresuid',
  'pidfd_open',
] as const;

import { leadsOut } from './leads-out.ts';

/**
 * Packs files of the folder that it starts in as a tar on standard output. It runs inside the job, where there is nothing
 * but what the job's own steps see: links and races of a hostile step lead nowhere else. It loads no module.
 *
 * Arguments: most bytes, most entries, number of patterns, then prefix and expression of each, then expressions of what is
 * left out. On standard error: `!<why>` and exit code 1 when it cannot be packed, `~<note>` of what was left out, and at
 * the end `=<entries>`.
 *
 * Names and links longer than ustar has room for, and large sizes, go into pax headers. Owners and set-user-id bits are
 * not kept.
 */
export const packProgram = String.raw`
my ($maxBytes, $maxEntries, $count, @rest) = @ARGV;
my (@prefix, @include);
for (1 .. $count) { push @prefix, shift @rest; my $text = shift @rest; push @include, qr/\A(?:$text)\z/s }
my @exclude = map { qr/\A(?:$_)\z/s } @rest;
my ($bytes, $entries, $notes) = (0, 0, 0);
binmode(STDOUT);
sub fail { syswrite(STDERR, "!$_[0]\n"); exit 1 }
sub note { $notes += 1; syswrite(STDERR, "~$_[0]\n") if $notes <= 20 }
sub put {
  my ($offset, $length) = (0, length $_[0]);
  while ($offset < $length) { my $done = syswrite(STDOUT, $_[0], $length - $offset, $offset); defined $done or fail("its bytes cannot be passed on: $!"); $offset += $done }
}
sub block {
  my ($name, $mode, $size, $mtime, $type, $link) = @_;
  my $head = pack('a100 a8 a8 a8 a12 a12 A8 a1 a100 a6 a2 a32 a32 a8 a8 a155 x12', $name, sprintf('%07o', $mode), sprintf('%07o', 0), sprintf('%07o', 0), sprintf('%011o', $size), sprintf('%011o', $mtime), '', $type, $link, 'ustar', '00', '', '', '', '', '');
  substr($head, 148, 8) = sprintf("%06o\0 ", unpack('%32C*', $head));
  return $head;
}
sub record {
  my ($key, $value) = @_;
  my $body = " $key=$value\n";
  my $length = length($body);
  $length = length($body) + length($length) while $length != length($body) + length($length);
  return $length . $body;
}
sub padding { my $over = $_[0] % 512; return $over ? "\0" x (512 - $over) : '' }
sub header {
  my ($name, $mode, $size, $mtime, $type, $link) = @_;
  $entries += 1;
  fail("it has more than $maxEntries files and folders") if $entries > $maxEntries;
  $mtime = 0 if $mtime < 0;
  my $pax = '';
  $pax .= record('path', $name) if length $name > 100;
  $pax .= record('linkpath', $link) if length $link > 100;
  $pax .= record('size', $size) if $size > 8589934591;
  put(block('././@PaxHeader', 0644, length $pax, 0, 'x', '') . $pax . padding(length $pax)) if $pax ne '';
  put(block(substr($name, 0, 100), $mode & 0777, $size > 8589934591 ? 0 : $size, $mtime > 8589934591 ? 0 : $mtime, $type, substr($link, 0, 100)));
}
${leadsOut}
sub may_hold {
  my ($path) = @_;
  for my $prefix (@prefix) {
    return 1 if $prefix eq '' || $prefix eq $path || index("$prefix/", "$path/") == 0 || index("$path/", "$prefix/") == 0;
  }
  return 0;
}
sub visit {
  my ($path, $inherited, $depth) = @_;
  fail("$path: folders are nested too deeply") if $depth > 200;
  for my $expression (@exclude) { return if $path =~ $expression }
  my $matched = $inherited || grep { $path =~ $_ } @include;
  my @stat = lstat($path);
  if (!@stat) { note("$path went away") if $matched; return }
  if (-l _) {
    return if !$matched;
    my $link = readlink($path);
    if (!defined $link || leads_out($path, $link)) { note("$path is a link that leads out of the workspace"); return }
    header($path, 0777, 0, $stat[9], '2', $link);
  } elsif (-d _) {
    header("$path/", $stat[2], 0, $stat[9], '5', '') if $matched;
    enter($path, $matched, $depth) if $matched || may_hold($path);
  } elsif (-f _) {
    return if !$matched;
    open(my $file, '<', $path) or fail("$path cannot be read: $!");
    binmode($file);
    my $left = (stat $file)[7];
    $bytes += $left;
    fail("its files have more than " . int($maxBytes / 1048576) . " MiB") if $bytes > $maxBytes;
    my $pad = padding($left);
    header($path, $stat[2], $left, $stat[9], '0', '');
    while ($left > 0) {
      my $done = sysread($file, my $piece, $left < 262144 ? $left : 262144);
      defined $done or fail("$path cannot be read: $!");
      # It became shorter while it was read.
      if ($done == 0) { $piece = "\0" x ($left < 262144 ? $left : 262144); $done = length $piece }
      put($piece);
      $left -= $done;
    }
    put($pad);
  } elsif ($matched) { note("$path is no file, folder or link") }
}
sub enter {
  my ($path, $matched, $depth) = @_;
  opendir(my $list, $path eq '' ? '.' : $path) or fail("$path cannot be read: $!");
  my @names = sort grep { $_ ne '.' && $_ ne '..' && $_ ne '.git' } readdir $list;
  closedir $list;
  for my $name (@names) { visit($path eq '' ? $name : "$path/$name", $matched, $depth + 1) }
}
enter('', 0, 0);
fail('no file matches its paths') if !$entries;
put("\0" x 1024);
syswrite(STDERR, "=$entries\n");
`;

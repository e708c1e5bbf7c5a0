import { leadsOut } from './leads-out.ts';

/**
 * Unpacks a tar from standard input below the folder that it starts in. It runs inside the job, as the packing program
 * does, and trusts neither the tar nor the workspace: no absolute path, no `..`, no way through a link, no link that leads
 * out, no devices. What is there already is replaced, file by file. It loads no module.
 *
 * Arguments: folder below the workspace or '', most bytes, most entries. On standard error: `!<why>` and exit code 1, or
 * `=<entries>`. Whoever owns the workspace owns what comes.
 */
export const unpackProgram = String.raw`
my ($below, $maxBytes, $maxEntries) = @ARGV;
my ($bytes, $entries) = (0, 0);
sub fail { syswrite(STDERR, "!$_[0]\n"); exit 1 }
binmode(STDIN);
umask 0022;
my ($uid, $gid) = (stat('.'))[4, 5];
sub take {
  my ($wanted) = @_;
  my $text = '';
  while (length $text < $wanted) {
    my $done = sysread(STDIN, $text, $wanted - length $text, length $text);
    fail("it cannot be read: $!") if !defined $done;
    fail('it ends in the middle') if $done == 0;
  }
  return $text;
}
sub own { chown $uid, $gid, $_[0] if !-l $_[0] }
sub folder {
  my ($path) = @_;
  my $at = '';
  for my $part (split m{/}, $path) {
    $at = $at eq '' ? $part : "$at/$part";
    if (!lstat($at)) { mkdir $at, 0755 or fail("the folder $at cannot be made: $!"); own($at) }
    elsif (-l _) { fail("$at is a link in the workspace, and nothing is unpacked through it") }
    elsif (!-d _) { fail("$at is no folder in the workspace") }
  }
}
${leadsOut}
sub text { my $text = $_[0]; $text =~ s/\0.*//s; return $text }
my %pax;
while (1) {
  my $head = take(512);
  last if $head =~ /\A\0*\z/;
  my ($name, $mode, $size, $mtime, $sum, $type, $link, $magic, $prefix) = unpack('a100 a8 x16 a12 a12 a8 a1 a100 a6 x2 x80 a155', $head);
  my $check = $head;
  substr($check, 148, 8) = ' ' x 8;
  fail('a header of it is damaged') if oct(text($sum)) != unpack('%32C*', $check);
  $size = oct(text($size));
  if ($type eq 'x') {
    fail('a header of it is too long') if $size > 65536;
    my $body = take($size);
    take(512 - $size % 512) if $size % 512;
    while ($body =~ s/\A(\d+) //) {
      my $record = substr($body, 0, $1 - length("$1 "), '');
      $pax{$1} = $2 if $record =~ /\A([^=]+)=(.*)\n\z/s;
    }
    next;
  }
  $name = text($name);
  $name = text($prefix) . "/$name" if text($prefix) ne '' && $magic =~ /^ustar/;
  $name = $pax{path} if defined $pax{path};
  $link = defined $pax{linkpath} ? $pax{linkpath} : text($link);
  $size = $pax{size} if defined $pax{size};
  fail('a header of it is damaged') if $size !~ /\A\d+\z/;
  %pax = ();
  $entries += 1;
  $bytes += $size;
  fail("it has more than $maxEntries files and folders") if $entries > $maxEntries;
  fail('its files have more than ' . int($maxBytes / 1048576) . ' MiB') if $bytes > $maxBytes;
  $name =~ s{/+\z}{};
  fail("it names $name, which is no path below the workspace") if $name eq '' || $name =~ m{\A/} || grep { $_ eq '..' || $_ eq '.' || $_ eq '' || $_ eq '.git' } split m{/}, $name, -1;
  my $path = $below eq '' ? $name : "$below/$name";
  my ($parent) = $path =~ m{\A(.*)/[^/]+\z}s;
  folder($parent) if defined $parent;
  $mode = oct(text($mode)) & 0777;
  $mtime = oct(text($mtime));
  if ($type eq '5') { folder($path); chmod $mode | 0700, $path; next }
  if (lstat($path)) {
    fail("$path is a folder in the workspace, and something else in the artifact") if -d _ && !-l _;
    unlink $path or fail("$path cannot be replaced: $!");
  }
  if ($type eq '2') {
    fail("$name is a link that leads out of the workspace") if leads_out($path, $link);
    symlink $link, $path or fail("$path cannot be made: $!");
  } elsif ($type eq '0' || $type eq "\0") {
    # O_WRONLY, O_CREAT and O_EXCL.
    sysopen(my $file, $path, 1 | 64 | 128, 0600) or fail("$path cannot be written: $!");
    my $left = $size;
    while ($left > 0) {
      my $piece = take($left < 262144 ? $left : 262144);
      my ($offset, $length) = (0, length $piece);
      while ($offset < $length) { my $done = syswrite($file, $piece, $length - $offset, $offset); defined $done or fail("$path cannot be written: $!"); $offset += $done }
      $left -= $length;
    }
    close $file or fail("$path cannot be written: $!");
    take(512 - $size % 512) if $size % 512;
    own($path);
    chmod $mode, $path;
    utime $mtime, $mtime, $path;
  } else { fail("$name is no file, folder or link") }
}
syswrite(STDERR, "=$entries\n");
`;

/**
 * Perl, for packing and for unpacking: whether a symbolic link at a path below the workspace leads out of it. An absolute
 * one does, whatever it names; both sides ask, so that neither has to trust the other.
 */
export const leadsOut = String.raw`sub leads_out {
  my ($path, $link) = @_;
  return 1 if $link =~ m{^/};
  my @at = split m{/}, $path;
  pop @at;
  for my $part (split m{/+}, $link) {
    next if $part eq '' || $part eq '.';
    if ($part eq '..') { return 1 if !@at; pop @at } else { push @at, $part }
  }
  return 0;
}`;

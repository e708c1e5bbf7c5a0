import { runProgram } from '../caches/run-program.ts';

/** FS_IOC_GETFLAGS, FS_IOC_SETFLAGS and FS_TOPDIR_FL of linux/fs.h; the first two are those of 64-bit machines. */
const program = String.raw`
for my $path (@ARGV) {
  open(my $folder, '<', $path) or next;
  my $flags = pack('L2', 0, 0);
  ioctl($folder, 0x80086601, $flags) or next;
  $flags = pack('L2', unpack('L', $flags) | 0x20000, 0);
  ioctl($folder, 0x40086602, $flags);
}
`;

/**
 * Tells the file system that what is made in these folders has nothing in common: attribute T of chattr(1). ext4 puts
 * each into a block group of its own, where few inodes were deleted lately: without a journal it looks at all of those
 * before it takes one, and the folders of steps come and go. Other file systems refuse, and need not.
 */
export async function spreadFolders(perl: string, folders: readonly string[]): Promise<void> {
  await runProgram([perl, '-e', program, ...folders]);
}

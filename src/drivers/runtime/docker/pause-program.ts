/**
 * What the pause container of a job runs, by its busybox: it owns the job's network, and answers on its standard input
 * and output, one line each, for as long as the runner lives.
 *
 * `hosts <lines, \n between them>`: the names of the job, written anew, since joined steps share the file and may write to
 * it; answers the file as it is then. `ports`: what listens in the job's network, as the kernel tells it. `reach <address>
 * <port>`: whether something takes connections there.
 */
export const pauseProgram = `chmod 0777 /workspace
reach='alarm 1; socket(S, 2, 1, 0); exit !connect(S, pack("S n C4 x8", 2, $ARGV[1], split(/[.]/, $ARGV[0])))'
base=$(cat /etc/hosts)
echo ready
while IFS= read -r line; do
  case "$line" in
    "hosts "*) printf '%s\\n%b' "$base" "\${line#hosts }" > /etc/hosts; cat /etc/hosts; echo written ;;
    ports) for table in tcp tcp6 udp udp6; do echo "table $table"; cat /proc/net/$table 2>/dev/null; done; echo end ;;
    "reach "*) set -- $line; if perl -e "$reach" "$2" "$3" 2>/dev/null; then echo yes; else echo no; fi ;;
  esac
done`;

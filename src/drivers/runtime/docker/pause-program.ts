/**
 * What the pause container of a job runs, by its busybox: it owns the job's network, and answers on its standard input
 * and output, one line each, for as long as the runner lives.
 *
 * `hosts <lines, \n between them>`: the names of the job; written anew each time, since joined steps share the file and
 * may write to it. `ports`: what listens in the job's network, as the kernel tells it.
 */
export const pauseProgram = `chmod 0777 /workspace
base=$(cat /etc/hosts)
echo ready
while IFS= read -r line; do
  case "$line" in
    "hosts "*) printf '%s\\n%b' "$base" "\${line#hosts }" > /etc/hosts; echo written ;;
    ports) cat /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6 2>/dev/null; echo end ;;
    "reach "*) set -- $line; if nc -z -w 1 "$2" "$3" 2>/dev/null; then echo yes; else echo no; fi ;;
  esac
done`;

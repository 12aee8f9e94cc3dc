# What a run of the fault scenarios does. It keeps its own account of what happened to it, out of the server's
# reach, and prints numbered lines with the time until its time is over or somebody makes the file RUN.go.
#
# usage: witness.sh FOLDER RUN "EXIT_CODE MILLISECONDS"
# One process and no more: a hundred of these run at the same time.

exec 3>>"$1/$2" 4<> <(:)
say() { echo "$* $EPOCHREALTIME" >&3; }
end() { say "end $1 $line"; exit "$1"; }
trap 'say term; end 143' TERM

line=0
say "start $$"
read -r code milliseconds <<<"$3"
deadline=$((${EPOCHREALTIME/./} + milliseconds * 1000))
until [ -e "$1/$2.go" ] || ((${EPOCHREALTIME/./} >= deadline)); do
  echo "line $((++line)) $EPOCHREALTIME"
  read -rt 0.05 -u 4
done
end "$code"

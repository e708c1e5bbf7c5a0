#!/bin/sh
# Greets in the language that it is given.
case $1 in
  zh) echo 你好 ;;
  *) echo hello ;;
esac

#!/bin/bash
# FFmpeg's HLS demuxer skips a segment that answers 404, and ends with exit code 0.
#
# Seen with FFmpeg 5.1. A gap in the video would go unnoticed, so we read HLS lists ourselves.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null; rm -rf "$folder"' EXIT
cd "$folder"

ffmpeg -nostdin -loglevel error -f lavfi -i testsrc2=size=64x64:rate=10:duration=6 -c:v libx264 -g 20 -sc_threshold 0 \
  -hls_time 2 -hls_list_size 0 list.m3u8
rm list1.ts

# Port 0 is a free one; the server prints it.
python3 -u -m http.server --bind 127.0.0.1 0 >port 2>log &
server=$!
until port=$(grep -oE 'port [0-9]+' port); do sleep 0.1; done 2>/dev/null

ffmpeg -nostdin -loglevel error -i "http://127.0.0.1:${port#port }/list.m3u8" -c copy -f framecrc frames 2>errors
frames=$(grep -vc '^#' frames)
echo "exit code 0, $frames of 60 frames; standard error: $(tr '\n' ' ' <errors)"
[ "$frames" -eq 40 ]

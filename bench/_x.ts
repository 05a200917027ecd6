import * as av from "node-av/lib";
import * as C from "node-av/constants";
const MONO = { nbChannels: 1, order: 1, mask: 4n };
for (const [name, rate, br, opts] of [["libmp3lame",24000,48000n],["libmp3lame",48000,64000n],["libopus",24000,32000n],["libopus",48000,32000n],["libfdk_aac",24000,48000n],["libfdk_aac",8000,24000n],["flac",24000,0n],["flac",11111,0n],["pcm_mulaw",8000,0n]] as const) {
  const codec = av.Codec.findEncoderByName(name as never)!;
  const ctx = new av.CodecContext();
  ctx.allocContext3(codec);
  ctx.sampleRate = rate; ctx.channelLayout = MONO as never; ctx.sampleFormat = codec.sampleFormats![0]!;
  ctx.sampleFormat = name === "libmp3lame" ? C.AV_SAMPLE_FMT_S16P : C.AV_SAMPLE_FMT_S16;
  ctx.timeBase = new av.Rational(1, rate);
  if (br) ctx.bitRate = br;
  if (name==="flac") ctx.frameSize = Math.floor(rate/20);
  ctx.setFlags(C.AV_CODEC_FLAG_BITEXACT);
  const t0=performance.now();
  const ret = ctx.open2Sync(codec, null);
  const t1=performance.now();
  console.log(name, rate, "open", ret, (t1-t0).toFixed(2),"ms frame", ctx.frameSize, "delay", ctx.delay, (ctx as never as {initialPadding:number}).initialPadding, "caps", codec.capabilities, "extra", ctx.extraData?.toString("hex"), codec.supportedSamplerates);
  const frameSize = ctx.frameSize || rate/50;
  const buf = Buffer.alloc(frameSize*2);
  for (let i=0;i<frameSize;i++) buf.writeInt16LE(Math.round(8000*Math.sin(i*2*Math.PI*440/rate)), i*2);
  const pkt = new av.Packet(); pkt.alloc();
  const cpu0 = process.cpuUsage();
  const N = Math.ceil(60*rate/frameSize); let first=-1, n=0, bytes=0; const durs: string[]=[];
  const frame = new av.Frame(); frame.alloc(); frame.nbSamples=frameSize; frame.format=ctx.sampleFormat; frame.sampleRate=rate; frame.channelLayout=MONO as never; frame.allocBuffer();
  let pts=0n;
  for (let i=0;i<N;i++) {
    frame.makeWritable();
    const r=frame.fromBuffer(buf); if (r<0) throw new Error("fb "+r);
    frame.pts = pts; pts += BigInt(frameSize);
    const s=ctx.sendFrameSync(frame); if (s<0) throw new Error("send "+s);
    let rr; while ((rr=ctx.receivePacketSync(pkt))>=0) { if(first<0){first=i} n++; const d=pkt.data!; bytes+=d.length; if (durs.length<3) durs.push(pkt.pts+":"+pkt.duration+":"+d.length+":"+d.subarray(0,8).toString("hex")); pkt.unref(); }
  }
  const cpu=process.cpuUsage(cpu0);
  ctx.sendFrameSync(null); let tail=0; while (ctx.receivePacketSync(pkt)>=0) {tail++; durs.push("tail "+pkt.pts+":"+pkt.duration+":"+pkt.data?.length); pkt.unref();}
  console.log("  first after frame", first, "packets", n, "+", tail, "of", N, "bps", bytes*8/60, "x realtime", (60/((cpu.user+cpu.system)/1e6)).toFixed(0), durs.join(" "));
  ctx.freeContext(); frame.free(); pkt.free();
}

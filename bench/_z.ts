const t=performance.now(); const m0=process.memoryUsage().rss;
const av = await import("node-av/lib"); const C=await import("node-av/constants");
console.log("import", performance.now()-t, (process.memoryUsage().rss-m0)/1e6,"MB", process.memoryUsage().rss/1e6);
console.log((av as any).getFFmpegInfo?.(), Object.keys(av).filter(k=>/ersion|nfo|ense/.test(k)));
const MONO = { nbChannels: 1, order: 1, mask: 4n };
// actual aac bitrates
for (const [name,rate,brs] of [["libfdk_aac",8000,[4000,8000,16000,48000,64000]],["libfdk_aac",24000,[4000,8000,48000,144000,200000]],["libfdk_aac",48000,[8000,12000,16000,288000,320000]],["libmp3lame",8000,[4000,8000,12000,64000,100000]],["libmp3lame",24000,[4000,8000,50000,160000,320000]],["libmp3lame",48000,[8000,32000,50000,320000,400000]],["libopus",8000,[400,500,6000,128000,256000,510000]],["libopus",48000,[500,6000,256000,510000]]] as const)
 for (const br of brs) {
  const codec = av.Codec.findEncoderByName(name as never)!; const ctx=new av.CodecContext(); ctx.allocContext3(codec); ctx.sampleRate=rate; ctx.channelLayout=MONO as never; ctx.sampleFormat= name==="libmp3lame"?C.AV_SAMPLE_FMT_S16P:C.AV_SAMPLE_FMT_S16; ctx.timeBase=new av.Rational(1,rate); ctx.bitRate=BigInt(br);
  const r=ctx.open2Sync(codec,null); if(r<0){console.log(name,rate,br,"open fails",new av.FFmpegError(r).message);continue;}
  const par=new av.CodecParameters(); par.alloc(); par.fromContext(ctx);
  const buf=Buffer.alloc(ctx.frameSize*2); const pkt=new av.Packet();pkt.alloc(); let bytes=0,n=0; let s=1;
  for(let i=0;i<200;i++){ for(let j=0;j<ctx.frameSize;j++){s=(s*1103515245+12345)&0x7fffffff; buf.writeInt16LE(Math.round(6000*Math.sin((i*ctx.frameSize+j)*0.2)+((s>>8)&0xfff)-2048),j*2);} const f=av.Frame.fromAudioBuffer(buf,{nbSamples:ctx.frameSize,format:ctx.sampleFormat,sampleRate:rate,channelLayout:MONO as never}); const x=ctx.sendFrameSync(f); if(x<0){console.log("send",x);break} f.free(); while(ctx.receivePacketSync(pkt)>=0){bytes+=pkt.size;n++;pkt.unref();} }
  console.log(name,rate,br,"->",Math.round(bytes*8*rate/(n*ctx.frameSize)), "pad", (par as any).initialPadding, ctx.bitRate, Number(ctx.frameSize)); ctx.freeContext();
 }
const ctxs:any[]=[]; 
for (const name of ["libmp3lame","libopus","libfdk_aac","flac"]) { const m=process.memoryUsage().rss; for(let i=0;i<100;i++){const codec = av.Codec.findEncoderByName(name as never)!; const ctx=new av.CodecContext(); ctx.allocContext3(codec); ctx.sampleRate=24000; ctx.channelLayout=MONO as never; ctx.sampleFormat= name==="libmp3lame"?C.AV_SAMPLE_FMT_S16P:C.AV_SAMPLE_FMT_S16; ctx.timeBase=new av.Rational(1,24000);ctx.open2Sync(codec,null);ctxs.push(ctx);} console.log(name,(process.memoryUsage().rss-m)/1e5,"kB each*1000?"); }

import * as av from "node-av/lib";
import * as C from "node-av/constants";
import { createHash } from "node:crypto";
const MONO = { nbChannels: 1, order: 1, mask: 4n };
function run(inHz:number,outHz:number,pcm:Buffer,cut:()=>number) {
  const swr = new av.SoftwareResampleContext();
  let r=swr.allocSetOpts2(MONO as never,C.AV_SAMPLE_FMT_S16,outHz,MONO as never,C.AV_SAMPLE_FMT_S16,inHz);
  r=swr.init(); if(r<0) throw new Error("init "+r);
  const parts:Buffer[]=[]; const total=pcm.length/2; let at=0;
  const conv=(inp:Buffer[]|null,n:number)=>{ const max=swr.getOutSamples(n); const out=Buffer.alloc(max*2); const got=swr.convertSync([out],max,inp,n); if(got<0) throw new Error("conv "+got); parts.push(out.subarray(0,got*2)); };
  while(at<total){const n=Math.min(cut(),total-at); conv([pcm.subarray(at*2,(at+n)*2)],n); at+=n;}
  conv(null,0);
  const all=Buffer.concat(parts); swr.free();
  return {n:all.length/2, h:createHash("md5").update(all).digest("hex").slice(0,8), all};
}
function noise(n:number,seed:number){const b=Buffer.alloc(n*2);let s=seed;for(let i=0;i<n;i++){s=(s*1103515245+12345)&0x7fffffff;b.writeInt16LE(((s>>8)&0xffff)-32768,i*2);}return b;}
let bad=0,cases=0;
for (const [i,o] of [[22050,24000],[22050,48000],[22050,8000],[24000,22050],[16000,48000],[48000,8000],[11111,44100],[22050,11111],[384000,8000],[1000,48000],[8000,47999],[47999,8001]] as const)
 for (const total of [0,1,2,3,7,15,16,17,31,32,33,63,64,65,100,441,1000,22050,50001]) {
  const pcm=noise(total,total+i);
  const ref=run(i,o,pcm,()=>total);
  for (let k=0;k<6;k++){ cases++;
    const sizes=[1,7,441,20,1000,333];
    const cut = k===0?()=>1: k===1?()=>1+Math.floor(Math.random()*50): k===2?()=>441: k===3?()=>1+Math.floor(Math.random()*3000):k===4?()=>Math.random()<0.5?1:500:()=>sizes[Math.floor(Math.random()*6)]!;
    const x=run(i,o,pcm,cut);
    if(x.h!==ref.h){bad++; let d=0;while(d<Math.min(x.n,ref.n)&&x.all.readInt16LE(d*2)===ref.all.readInt16LE(d*2))d++; if(bad<25)console.log("DIFF",i,o,total,"k",k,ref.n,x.n,"at",d);}
  }
  if (total===22050||total===1||total===17||total===0) console.log(i,o,total,"->",ref.n,"expect",total*o/i);
 }
console.log("bad",bad,"of",cases);
const pcm=noise(22050*60,1); for (const c of [441,4410,44100]) {const t=process.cpuUsage();run(22050,24000,pcm,()=>c);const u=process.cpuUsage(t);console.log("cut",c,60/((u.user+u.system)/1e6),"x");}

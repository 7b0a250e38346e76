import type { ReactNode } from "react";

/** The frame of the pages before the dashboard. */
export function AuthCard({ title, children }: { title: string; children: ReactNode }): ReactNode {
  return (
    <main className="flex min-h-dvh items-start justify-center bg-raised px-4 pt-[12vh] pb-10">
      <div className="w-full max-w-88 rounded-xl border border-line bg-ground p-6 shadow-pop">
        <div className="mb-5 flex items-center gap-2.5">
          <img src="/icon.svg" alt="" width={28} height={28} />
          <h1 className="m-0 text-[18px] font-semibold tracking-tight">{title}</h1>
        </div>
        {children}
      </div>
    </main>
  );
}

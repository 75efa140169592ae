import { useEffect, useRef, type ReactNode } from "react";

interface Props {
    label: string;
    isOpen: boolean;
    /** Where it comes from. */
    side?: "left" | "right";
    onClose: () => void;
    children: ReactNode;
}

/** A panel over the page. The dialog element keeps the focus inside and gives it back. */
export function Drawer({ label, isOpen, side = "left", onClose, children }: Props) {
    const dialog = useRef<HTMLDialogElement>(null);
    useEffect(() => {
        const element = dialog.current;
        if (isOpen && !element?.open) {
            element?.showModal();
        } else if (!isOpen && element?.open) {
            element.close();
        }
    }, [isOpen]);
    return (
        <dialog
            className={side === "right" ? "drawer is-right" : "drawer"}
            ref={dialog}
            aria-label={label}
            onClose={onClose}
            onClick={(event) => event.target === dialog.current && onClose()}
        >
            {children}
        </dialog>
    );
}
